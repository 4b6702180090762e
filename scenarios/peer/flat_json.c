/* SPDX-License-Identifier: Apache-2.0 */
/* flat_json.c: the members of a JSON object, as much of it as a command needs. */
#include "scenarios/peer/flat_json.h"

#include <errno.h>
#include <string.h>

#include "engine/util.h"

struct json {
    const char *at, *end;
};

static char json_peek(struct json *j)
{
    while (j->at < j->end && strchr(" \t\r\n", *j->at) != NULL && *j->at != '\0') {
        j->at++;
    }
    return j->at < j->end ? *j->at : '\0';
}

static bool json_take(struct json *j, char c)
{
    if (json_peek(j) != c || j->at == j->end) {
        return false;
    }
    j->at++;
    return true;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* The character behind a backslash. What is not ASCII becomes '?': no name we look for has
 * any. 0: there is no such escape. */
static char json_escape(struct json *j)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    char c = j->at < j->end ? *j->at++ : '\0';
    const char *known = c != '\0' ? strchr(from, c) : NULL;
    int code = 0;

    if (known != NULL) {
        return to[known - from];
    }
    if (c != 'u' || j->end - j->at < 4) {
        return '\0';
    }
    for (int i = 0; i < 4; i++) {
        int digit = hex_digit(*j->at++);

        if (digit < 0) {
            return '\0';
        }
        code = code << 4 | digit;
    }
    return code > 0 && code < 0x80 ? (char)code : '?';
}

/* A string into `buf` (NULL: skip it). 0, -EBADMSG, -EMSGSIZE. */
static int json_string(struct json *j, char *buf, size_t size)
{
    size_t n = 0;

    if (!json_take(j, '"')) {
        return -EBADMSG;
    }
    while (j->at < j->end && *j->at != '"') {
        char c = *j->at++;

        if (c == '\\') {
            c = json_escape(j);
        }
        if (c == '\0') {
            return -EBADMSG;
        }
        if (buf != NULL && n + 1 >= size) {
            return -EMSGSIZE;
        }
        if (buf != NULL) {
            buf[n++] = c;
        }
    }
    if (j->at == j->end) {
        return -EBADMSG;
    }
    j->at++;
    if (buf != NULL) {
        buf[n] = '\0';
    }
    return 0;
}

/* Any value: up to the comma or brace that ends it on its own level. */
static int json_skip_value(struct json *j)
{
    for (int depth = 0;;) {
        char c = json_peek(j);

        if (j->at == j->end) {
            return -EBADMSG;
        }
        if (depth == 0 && (c == ',' || c == '}')) {
            return 0;
        }
        if (c == '"') {
            int err = json_string(j, NULL, 0);

            if (err < 0) {
                return err;
            }
            continue;
        }
        depth += (c == '{' || c == '[') - (c == '}' || c == ']');
        if (depth < 0) {
            return -EBADMSG;
        }
        j->at++;
    }
}

int flat_json_field(const struct ceph_text *json, const char *name, char *buf, size_t size)
{
    struct json j = {.at = json->text, .end = json->text + json->len};
    char key[256], value[1024];
    int err;

    if (!json_take(&j, '{')) {
        return -EBADMSG;
    }
    while (json_peek(&j) == '"') {
        err = json_string(&j, key, sizeof(key));
        if (err < 0 || !json_take(&j, ':')) {
            return -EBADMSG;
        }
        if (strcmp(key, name) == 0) {
            if (json_peek(&j) != '"') {
                return -ENOENT;
            }
            err = json_string(&j, value, MIN(size, sizeof(value)));
            if (err == 0) {
                memcpy(buf, value, strlen(value) + 1);
            }
            return err;
        }
        err = json_skip_value(&j);
        if (err < 0) {
            return err;
        }
        if (!json_take(&j, ',')) {
            break;
        }
    }
    return json_take(&j, '}') ? -ENOENT : -EBADMSG;
}
