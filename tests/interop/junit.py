#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""junit.py FILE [EXPRESSION...]: is it what CI systems read as JUnit's XML?

Checks the shape that the schemas of Jenkins, GitLab and GitHub's actions have in common:
elements, required attributes, their types, counts that are those of the cases, names that
are there once. Each EXPRESSION of Python must be true, with `suite`, `cases` (by name) and
`names`. Exit 1 and a sentence if not.
"""
import sys
import xml.etree.ElementTree as tree

ALLOWED = {  # element: (required attributes, others, children)
    "testsuites": ("name tests failures errors time", "", "testsuite"),
    "testsuite": ("name tests failures errors skipped time timestamp", "",
                  "properties testcase system-out system-err"),
    "properties": ("", "", "property"),
    "property": ("name value", "", ""),
    "testcase": ("classname name time", "", "skipped error failure system-out system-err"),
    "skipped": ("message", "", ""),
    "error": ("message type", "", ""),
    "failure": ("message type", "", ""),
    "system-out": ("", "", ""),
    "system-err": ("", "", ""),
}


def check(element, problems):
    if element.tag not in ALLOWED:
        problems.append("there is no element %s" % element.tag)
        return
    required, others, children = (part.split() for part in ALLOWED[element.tag])
    for name in required:
        if name not in element.attrib:
            problems.append("%s has no %s" % (element.tag, name))
    for name, value in element.attrib.items():
        if name not in required + others:
            problems.append("%s has an attribute %s" % (element.tag, name))
        if name in ("tests", "failures", "errors", "skipped") and not value.isdigit():
            problems.append("%s %s=%r is no number" % (element.tag, name, value))
        if name == "time" and not float(value) >= 0:
            problems.append("%s time=%r" % (element.tag, value))
    for child in element:
        if child.tag not in children:
            problems.append("%s in %s" % (child.tag, element.tag))
        check(child, problems)


def counts(suite, problems):
    cases = suite.findall("testcase")
    found = {"tests": len(cases)}
    for what, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        found[what] = sum(case.find(tag) is not None for case in cases)
    for what, n in found.items():
        if int(suite.get(what, -1)) != n:
            problems.append("%s=%s, and there are %d" % (what, suite.get(what), n))
    ids = [(case.get("classname"), case.get("name")) for case in cases]
    if len(ids) != len(set(ids)):
        problems.append("two cases have one name")
    for case in cases:
        if sum(case.find(tag) is not None for tag in ("skipped", "error", "failure")) > 1:
            problems.append("%s ended twice" % case.get("name"))


def main():
    root = tree.parse(sys.argv[1]).getroot()
    problems = []
    check(root, problems)
    if root.tag != "testsuites" or len(root) == 0:
        problems.append("the root is no testsuites")
    for suite in root:
        counts(suite, problems)
    suite = root[0]
    cases = {case.get("name"): case for case in suite.findall("testcase")}
    for expression in sys.argv[2:]:
        if not eval(expression, {"suite": suite, "cases": cases, "names": list(cases)}):
            problems.append("not so: " + expression)
    for problem in problems:
        print("%s: %s" % (sys.argv[1], problem))
    return 1 if problems else 0


sys.exit(main())
