/* SPDX-License-Identifier: Apache-2.0 */
/*
 * receive.h: the dispatcher of every node: looks each message up in the books and compares
 * it with what was sent, byte by byte.
 */
#ifndef MSGRLAB_SCENARIOS_LAB_RECEIVE_H
#define MSGRLAB_SCENARIOS_LAB_RECEIVE_H

#include "engine/messenger.h"

struct lab_node;

/* The callbacks of a node. */
struct dispatcher lab_dispatcher(struct lab_node *node);

#endif
