/* SPDX-License-Identifier: Apache-2.0 */
/*
 * entity_addr_text.c: addresses as people write them.
 *
 *     address  [v1:|v2:|any:] ( IPv4 | '[' IPv6 [%SCOPE] ']' ) [:PORT] [/NONCE]
 *     vector   address | '[' address { ',' address } ']'
 *
 * A bracket opens an IPv6 address if nothing but hex digits, '.', '%' and at least two ':'
 * stand before the first ']', and else a vector: "[::1]" is one address, "[1.2.3.4:5]" a
 * vector of one. Every text made here parses to the address it was made from, except "-"
 * (blank), which is for reading only.
 */
#include "engine/entity_addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "engine/util.h"

#define STRINGIFY_EXPANDED(x) #x
#define STRINGIFY(x) STRINGIFY_EXPANDED(x)

static const struct {
    const char *text;
    uint32_t type;
} type_prefixes[] = {{"v1:", ADDR_LEGACY}, {"v2:", ADDR_MSGR2}, {"any:", ADDR_ANY}};

/* ---- printing ---- */

/* Addresses of type none carry no prefix. Types that do not exist show their number. */
static int print_type(uint32_t type, char *buf, size_t cap)
{
    for (size_t i = 0; i < ARRAY_SIZE(type_prefixes); i++) {
        if (type_prefixes[i].type == type)
            return snprintf(buf, cap, "%s", type_prefixes[i].text);
    }
    return type == ADDR_NONE ? snprintf(buf, cap, "%s", "")
                             : snprintf(buf, cap, "type%u:", type);
}

const char *entity_addr_text(const struct entity_addr *addr, char buf[ENTITY_ADDR_TEXT])
{
    char ip[INET6_ADDRSTRLEN] = "", scope[16] = "";
    bool is_ipv6 = addr->sa.sa_family == AF_INET6;
    size_t cap = ENTITY_ADDR_TEXT;
    size_t used;

    if (entity_addr_is_blank(addr)) {
        snprintf(buf, cap, "-");
        return buf;
    }
    if (is_ipv6) {
        inet_ntop(AF_INET6, &addr->in6.sin6_addr, ip, sizeof(ip));
        if (addr->in6.sin6_scope_id != 0)
            snprintf(scope, sizeof(scope), "%%%u", addr->in6.sin6_scope_id);
    } else {
        inet_ntop(AF_INET, &addr->in.sin_addr, ip, sizeof(ip));
    }
    used = (size_t)print_type(addr->type, buf, cap);
    used +=
        (size_t)snprintf(buf + used, cap - used, "%s%s%s%s:%u/%u", is_ipv6 ? "[" : "", ip,
                         scope, is_ipv6 ? "]" : "", entity_addr_port(addr), addr->nonce);
    CHECK(used < cap);
    return buf;
}

const char *entity_addrvec_text(const struct entity_addrvec *vec,
                                char buf[ENTITY_ADDRVEC_TEXT])
{
    char one[ENTITY_ADDR_TEXT];
    size_t cap = ENTITY_ADDRVEC_TEXT;
    size_t used = 0;

    CHECK(vec->n <= ADDRVEC_MAX);
    if (vec->n == 0)
        snprintf(buf, cap, "-");
    if (vec->n == 1)
        snprintf(buf, cap, "%s", entity_addr_text(&vec->v[0], one));
    if (vec->n <= 1)
        return buf;
    for (uint32_t i = 0; i < vec->n; i++)
        used += (size_t)snprintf(buf + used, cap - used, "%c%s", i == 0 ? '[' : ',',
                                 entity_addr_text(&vec->v[i], one));
    CHECK(used + 1 < cap);
    snprintf(buf + used, cap - used, "]");
    return buf;
}

/* ---- parsing ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Digits of *at, which moves behind them; no sign, no blanks. -EINVAL if there are none or
 * if they say more than `max`. */
static int parse_number(const char **at, uint64_t max, uint64_t *ret)
{
    const char *p = *at;
    uint64_t value = 0;

    if (!is_digit(*p))
        return -EINVAL;
    for (; is_digit(*p); p++) {
        value = value * 10 + (uint64_t)(*p - '0');
        if (value > max)
            return -EINVAL;
    }
    *at = p;
    *ret = value;
    return 0;
}

static int parse_type(const char **at, uint32_t *type, const char **ret_why)
{
    const char *digits = *at + 1;

    for (size_t i = 0; i < ARRAY_SIZE(type_prefixes); i++) {
        size_t len = strlen(type_prefixes[i].text);

        if (strncmp(*at, type_prefixes[i].text, len) == 0) {
            *at += len;
            *type = type_prefixes[i].type;
            return 0;
        }
    }
    if (**at != 'v' || !is_digit(*digits))
        return 0;
    while (is_digit(*digits))
        digits++;
    if (*digits != ':')
        return 0;
    *ret_why = "unknown address type: v1:, v2: or any: expected";
    return -EINVAL;
}

/* "IPv6]" or "IPv6%SCOPE]", behind the opening bracket. */
static int parse_ipv6(const char **at, struct sockaddr_in6 *ret, const char **ret_why)
{
    char ip[INET6_ADDRSTRLEN];
    size_t len = strcspn(*at, "]%");
    uint64_t scope = 0;

    if ((*at)[len] == '\0') {
        *ret_why = "']' is missing behind the IPv6 address";
        return -EINVAL;
    }
    *ret_why = "not an IPv6 address";
    if (len >= sizeof(ip))
        return -EINVAL;
    memcpy(ip, *at, len);
    ip[len] = '\0';
    if (inet_pton(AF_INET6, ip, &ret->sin6_addr) != 1)
        return -EINVAL;
    *at += len;
    if (**at == '%') {
        *at += 1;
        *ret_why = "IPv6 scope is not a number from 0 to 4294967295";
        if (parse_number(at, UINT32_MAX, &scope) < 0 || **at != ']')
            return -EINVAL;
    }
    *at += 1;
    ret->sin6_family = AF_INET6;
    ret->sin6_scope_id = (uint32_t)scope;
    return 0;
}

/* Up to ':', '/' or the end. */
static int parse_ipv4(const char **at, struct sockaddr_in *ret, const char **ret_why)
{
    char ip[INET_ADDRSTRLEN];
    size_t len = strcspn(*at, ":/");
    size_t host_len = strcspn(*at, "/");

    if (memchr(*at, ',', host_len))
        *ret_why = "several addresses need brackets: [a,b]";
    else if (memchr(*at, ':', host_len) != memrchr(*at, ':', host_len))
        *ret_why = "an IPv6 address needs brackets: [::1]:3300";
    else if (len == 0)
        *ret_why = "the ip is missing";
    else if (strspn(*at, "0123456789.") < len)
        *ret_why = "not an ip address (names are not resolved)";
    else
        *ret_why = "not an IPv4 address";
    if (len >= sizeof(ip))
        return -EINVAL;
    memcpy(ip, *at, len);
    ip[len] = '\0';
    if (inet_pton(AF_INET, ip, &ret->sin_addr) != 1)
        return -EINVAL;
    ret->sin_family = AF_INET;
    *at += len;
    return 0;
}

/* [:PORT][/NONCE] and the end. */
static int parse_port_and_nonce(const char *at, uint64_t *port, uint64_t *nonce,
                                const char **ret_why)
{
    if (*at == ':') {
        at++;
        if (parse_number(&at, UINT16_MAX, port) < 0) {
            *ret_why = "port is not a number from 0 to 65535";
            return -EINVAL;
        }
    }
    if (*at == '/') {
        at++;
        if (parse_number(&at, UINT32_MAX, nonce) < 0) {
            *ret_why = "nonce is not a number from 0 to 4294967295";
            return -EINVAL;
        }
    }
    if (*at != '\0') {
        *ret_why = *at == ',' ? "several addresses need brackets: [a,b]"
                              : "unexpected text behind the address";
        return -EINVAL;
    }
    return 0;
}

int entity_addr_parse(const char *text, uint32_t default_type, uint16_t default_port,
                      struct entity_addr *ret, const char **ret_why)
{
    struct entity_addr addr;
    uint64_t port = default_port, nonce = 0;
    const char *at = text;
    int rc;

    memset(&addr, 0, sizeof(addr));
    addr.type = default_type;
    if (text == NULL || *at == '\0') {
        *ret_why = "the address is empty";
        return -EINVAL;
    }
    rc = parse_type(&at, &addr.type, ret_why);
    if (rc == 0 && *at == '[') {
        at++;
        rc = parse_ipv6(&at, &addr.in6, ret_why);
    } else if (rc == 0) {
        rc = parse_ipv4(&at, &addr.in, ret_why);
    }
    if (rc == 0)
        rc = parse_port_and_nonce(at, &port, &nonce, ret_why);
    if (rc < 0)
        return rc;
    addr.nonce = (uint32_t)nonce;
    entity_addr_set_port(&addr, (uint16_t)port);
    *ret = addr;
    return 0;
}

/* See the top of this file. */
static bool opens_vector(const char *text)
{
    size_t inside, colons = 0;

    if (text[0] != '[')
        return false;
    inside = strspn(text + 1, "0123456789abcdefABCDEF:.%");
    for (size_t i = 1; i <= inside; i++)
        colons += text[i] == ':';
    return text[1 + inside] != ']' || colons < 2;
}

/* The elements of a list whose brackets are off: [at, end), split at the commas. */
static int parse_elements(const char *at, const char *end, uint32_t default_type,
                          uint16_t default_port, struct entity_addrvec *vec,
                          const char **ret_why)
{
    char element[ENTITY_ADDR_TEXT];

    for (vec->n = 0; at <= end; vec->n++) {
        size_t len = MIN(strcspn(at, ","), (size_t)(end - at));
        int rc;

        if (vec->n == ADDRVEC_MAX) {
            *ret_why = "more than " STRINGIFY(ADDRVEC_MAX) " addresses";
            return -EINVAL;
        }
        if (len >= sizeof(element)) {
            *ret_why = "an address of the list is too long";
            return -EINVAL;
        }
        memcpy(element, at, len);
        element[len] = '\0';
        rc = entity_addr_parse(element, default_type, default_port, &vec->v[vec->n],
                               ret_why);
        if (rc < 0)
            return rc;
        at += len + 1;
    }
    return 0;
}

int entity_addrvec_parse(const char *text, uint32_t default_type, uint16_t default_port,
                         struct entity_addrvec *ret, const char **ret_why)
{
    struct entity_addrvec vec = {.n = 1};
    const char *end = text != NULL ? text + strlen(text) : NULL;
    int rc;

    if (text == NULL || !opens_vector(text)) {
        rc = entity_addr_parse(text, default_type, default_port, &vec.v[0], ret_why);
    } else if (end[-1] == ']') {
        rc = parse_elements(text + 1, end - 1, default_type, default_port, &vec, ret_why);
    } else {
        *ret_why = "']' is missing at the end of the list";
        rc = -EINVAL;
    }
    if (rc == 0)
        *ret = vec;
    return rc;
}
