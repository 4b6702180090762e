/* SPDX-License-Identifier: Apache-2.0 */
/*
 * two.c: two messengers in one program, and one message from one to the other.
 *   gcc two.c $(pkg-config --cflags --libs msgrlab) -o two && ./two
 */
#include <err.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>

#include "engine/messenger.h"
#include "stacks/tcp/tcp_stack.h"

struct side {
    struct messenger_opts opts; /* the os and the stack in it are ours */
    struct messenger *messenger;
};

static void must(int result, const char *what)
{
    if (result < 0) {
        errx(1, "%s: %s", what, strerror(-result));
    }
}

/* Called on the receiver's thread ms_dispatch. True: the message is ours now. */
static bool on_message(void *received, struct message *msg)
{
    printf("received: %.*s\n", (int)msg->front.len, (const char *)msg->front.data);
    message_unref(msg);
    sem_post((sem_t *)received);
    return true;
}

static void side_open(struct side *side, const char *name, const struct dispatcher *to)
{
    struct entity_addrvec addrs;
    const char *why = "";

    memset(side, 0, sizeof(*side)); /* zero is the default of each option */
    side->opts.os = os_linux_new(0, name);
    side->opts.entity_type = ENTITY_OSD;
    must(tcp_stack_new(side->opts.os, &side->opts.stack), "TCP stack");
    must(messenger_new(&side->opts, &side->messenger), "messenger");
    must(messenger_add_dispatcher(side->messenger, to), "dispatcher");
    must(messenger_set_policy(side->messenger, 0, policy_find("lossless_peer")), "policy");
    must(entity_addrvec_parse("v2:127.0.0.1:0", ADDR_MSGR2, 0, &addrs, &why), why);
    must(messenger_bind(side->messenger, &addrs), "bind");
    must(messenger_start(side->messenger), "start");
}

static void side_close(struct side *side)
{
    messenger_shutdown(side->messenger);
    messenger_free(side->messenger);
    network_stack_free(side->opts.stack);
    os_linux_free(side->opts.os);
}

int main(void)
{
    struct side a, b;
    static struct dispatcher dispatcher; /* zeroed: each callback has a default */
    struct entity_addrvec where;
    struct message *msg = message_new(MSG_PING);
    sem_t received;

    sem_init(&received, 0, 0);
    dispatcher.arg = &received;
    dispatcher.dispatch = on_message;
    side_open(&a, "a", &dispatcher);
    side_open(&b, "b", &dispatcher);
    messenger_addrs(b.messenger, &where);
    must(msg != NULL ? buffer_copy(&msg->front, "hello", 5) : -1, "message");
    must(messenger_send_to(a.messenger, msg, ENTITY_OSD, &where), "send"); /* takes msg */
    sem_wait(&received);
    side_close(&a);
    side_close(&b);
}
