/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy.c: the rows of POLICIES as constants.
 */
#include "engine/policy.h"

#include <string.h>

#include "engine/util.h"

#define POLICY_ROW(name_, lossy_, server_, standby_, resetcheck_, registered_)             \
    {                                                                                      \
        .name = #name_,                                                                    \
        .lossy = lossy_,                                                                   \
        .server = server_,                                                                 \
        .standby = standby_,                                                               \
        .resetcheck = resetcheck_,                                                         \
        .registered = registered_,                                                         \
        .features_supported = FEATURES_SUPPORTED,                                          \
        .features_required = FEATURES_REQUIRED,                                            \
    },

const struct policy *policy_find(const char *name)
{
    static const struct policy rows[] = {POLICIES(POLICY_ROW)};

    for (size_t i = 0; name != NULL && i < ARRAY_SIZE(rows); i++) {
        if (strcmp(rows[i].name, name) == 0) {
            return &rows[i];
        }
    }
    return NULL;
}

const char *policy_names(void)
{
#define X(name, ...) ", " #name
    static const char names[] = POLICIES(X);
#undef X

    return names + 2; /* behind the first comma */
}
