/* SPDX-License-Identifier: Apache-2.0 */
/* setting.h: what --set KEY=VALUE said, from the command line to the script that asks. */
#ifndef MSGRLAB_SCENARIOS_BASE_SETTING_H
#define MSGRLAB_SCENARIOS_BASE_SETTING_H

#include <stdbool.h>

struct setting {
    const char *key, *value; /* borrowed from the command line, or a record */
    bool used;               /* the script looked at it */
};

#endif
