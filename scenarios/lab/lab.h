/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lab.h: the nodes of one run and the books about their messages. Knows nothing of Lua.
 *
 *   struct lab ---- nodes: os + stack + messenger each, numbered from 1
 *             \---- ledgers: one for each origin of messages (a connection, or a pair of
 *                   nodes for sends by address): what was sent, what arrived, how often, in
 *                   which order
 *
 * Every message carries (ledger, index) in the tid of its header, and payload bytes that
 * are a function of it. The receiving node looks it up and compares everything, byte by
 * byte.
 *
 * Threads: calls are for the thread that runs the scenario, unless they say otherwise;
 * dispatcher callbacks and sender threads keep the books under `lock`. Whatever changes is
 * broadcast on `changed`.
 */
#ifndef MSGRLAB_SCENARIOS_LAB_LAB_H
#define MSGRLAB_SCENARIOS_LAB_LAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/messenger.h"
#include "engine/worker.h"
#include "scenarios/lab/world.h"

#define LAB_NAME_BYTES 32
#define LAB_LEDGERS_MAX 65536
#define LAB_MESSAGES_MAX (8u << 20) /* of one run: the books take about 60 bytes each */
#define LAB_SENDERS_MAX 64          /* threads of the application, of one run */
#define LAB_POLICIES_MAX 8
#define LAB_WHERE_BYTES 200       /* "x.lua:12" */
#define LAB_SEND_RETRY_NS 1000000 /* while out_q is full */
#define LAB_LANE_ECHO UINT16_MAX  /* lane of answers; 0 is the script's, 1.. are senders' */

struct checkers;
struct lab;
struct lab_conn;
struct lab_fair;
struct lab_grave;
struct lab_kept;
struct lab_node;
struct lab_pause;
struct lab_sender;

// clang-format off
/* X(name, expression): what a node counts, from `m` (struct messenger_stats). The workers'
 * counters with Ceph's names follow behind these. */
#define LAB_MESSENGER_COUNTERS(X)                                                        \
    X(messages_sent, m.messages_sent) X(messages_received, m.messages_received)          \
    X(connections, m.connections) X(accepting, m.accepting)                              \
    X(dispatch_depth, m.dispatch_depth) X(dispatch_bytes, m.dispatch_bytes)              \
    X(cycles, m.center.cycles) X(waits_empty, m.center.waits_empty)                      \
    X(file_events, m.center.file_events) X(time_events, m.center.time_events)            \
    X(external_events, m.center.external_events) X(posts, m.center.posts)                \
    X(merges, m.center.merges) X(wakeups, m.center.wakeups) X(stale, m.center.stale)
// clang-format on

enum lab_counter {
#define X(name, expression) LAB_COUNTER_##name,
    LAB_MESSENGER_COUNTERS(X)
#undef X
#define X(name) LAB_COUNTER_##name,
        WORKER_COUNTERS(X)
#undef X
            LAB_COUNTERS
};
extern const char *const lab_counter_names[LAB_COUNTERS];

/* What the scenario says about a node; zeroed fields mean the engine's default. */
struct lab_node_opts {
    char name[LAB_NAME_BYTES];
    struct messenger_opts messenger; /* os, stack, driver, entity_id are filled in */
    const char *driver;              /* static; NULL: the run's */
    char rdma[128];                  /* options of the RDMA stack, beside the run's */
    char address[128];               /* to bind; "" = 127.0.0.1:0 */
    bool serve, fast_dispatch, echo;
    uint64_t handling_ns; /* its handler stands still for so long with each message */
    uint64_t throttle_messages, throttle_bytes;
};

/* Events a dispatcher is told. */
enum lab_event {
    LAB_CONNECT,
    LAB_ACCEPT,
    LAB_RESET,
    LAB_REMOTE_RESET,
    LAB_REFUSED,
    LAB_EVENTS
};
/* "connect", "accept", ... */
extern const char *const lab_event_names[LAB_EVENTS];

/* One message as it was sent. */
struct lab_entry {
    uint64_t key;           /* of its payload (keyed.h): of the first message for an echo */
    uint64_t flow;          /* identity in the trace; 0 unknown */
    uint64_t sent_ns;       /* when the messenger had taken it; 0: not yet */
    const uint8_t *literal; /* owned by the ledger that made it: the literal segments */
    uint32_t bytes[3];      /* front, middle, data */
    uint16_t type, priority;
    uint16_t lane;             /* which thread sent it: order is per (lane, priority) */
    uint16_t received;         /* how often */
    uint8_t literal_mask;      /* bit i: segment i is literal */
    bool reply, failed, owned; /* an echo; never sent; literal is freed with this entry */
};

/* Order is kept within a session, for what one thread sent at one priority. */
struct lab_order {
    uint64_t session; /* the receiver's connection */
    uint16_t lane, priority;
    uint32_t last; /* index received */
};

struct lab_ledger {
    uint32_t number;           /* 1.. */
    struct lab_node *from;     /* borrowed */
    struct lab_node *to;       /* borrowed; NULL until known, or outside the run */
    struct lab_conn *conn;     /* borrowed; NULL for sends by address */
    struct lab_entry *entries; /* owned; index 1 is entries[0] */
    uint32_t n, cap;
    struct lab_order *orders; /* owned */
    uint32_t n_orders, cap_orders;
    uint64_t failed; /* entries never sent */
    uint64_t unsent; /* of these, because the session was over, or because of `kept` */
    uint64_t kept;   /* of sender threads that a fault did not let start */
    uint64_t delivered, duplicates, inversions, corrupt; /* seen by the receiver */
};

/* How the script itself ended a connection at this end. Sending on it is a mistake then,
 * and not something that befell the session. */
enum lab_end { LAB_END_NOT, LAB_END_CLOSED, LAB_END_REBOUND, LAB_END_KILLED };

struct lab_conn {
    struct lab *lab;
    struct lab_node *node;     /* borrowed: whose end this is */
    struct lab_node *peer;     /* borrowed; NULL: not known */
    struct connection *conn;   /* shared; NULL once it is over */
    struct lab_ledger *ledger; /* borrowed */
    uint32_t number;
    bool accepted, closed;
    uint64_t made_ns;
    enum lab_end end;           /* what the script did to this end of it */
    char end_where[100];        /* "x.lua:8", for LAB_END_CLOSED; else "" */
    uint64_t keepalives_unsent; /* asked for when the session was over */
    uint64_t up_ns;             /* when its session was ready; 0: it was not yet */
    struct entity_addr
        at;        /* of the peer: what was dialled, or where the socket came from */
    char why[120]; /* once it is closed: what ended it */
};

/* A received message that a handler of the script is to see. */
struct lab_inbox {
    struct lab_inbox *next;
    struct lab_node *node;
    struct message *msg; /* shared */
    uint32_t ledger, index;
};

/* How a node treats peers of one type. */
struct lab_policy {
    int peer_type; /* 0: all that have no other */
    bool said;     /* by the scenario; else it follows from a connection */
    const struct policy *policy;
    char where[LAB_WHERE_BYTES]; /* that was: "x.lua:12" */
};

struct lab_node {
    struct lab *lab;
    uint8_t number; /* in traces */
    bool started, bound;
    struct lab_node_opts opts;
    struct os *os;               /* owned */
    struct network_stack *stack; /* owned */
    struct messenger *messenger; /* owned; NULL until started */
    int n_policies;
    struct lab_policy policies[LAB_POLICIES_MAX];
    struct lab_pause *pause;  /* owned; NULL: running */
    uint64_t frozen_until_ns; /* all its threads stand still until then; by lab_now */
    struct lab_grave *graves; /* owned: former lives, the last one first */
    struct lab_kept *kept;    /* owned, under the lab's lock: what its application keeps */
    struct lab_node *keeps_from; /* borrowed, likewise: whose messages; NULL: nobody's */
    uint32_t lives;              /* that ended */

    /* Under the lab's lock. */
    bool handler; /* received messages go to the inbox */
    uint64_t events[LAB_EVENTS];
    uint64_t sent, sent_bytes;
    uint64_t received, received_bytes;
    uint64_t foreign; /* messages that are in no book */
    uint64_t echo_dropped;
    uint64_t *log; /* owned: (ledger << 32 | index) in the order of arrival */
    uint64_t n_log, cap_log;

    struct entity_addrvec addrs;     /* what others dial; set when it is bound */
    uint64_t counters[LAB_COUNTERS]; /* after shutdown */
    bool leaked;                     /* ... something of its messenger was left */
};

struct lab {
    struct world *world;       /* borrowed */
    struct checkers *checkers; /* owned; NULL: on Linux, and without a trace */
    struct lab_fair *fair;     /* owned; NULL: on Linux */
    struct os_mutex *lock;
    struct os_cond *changed;
    struct lab_node *nodes[WORLD_NODES_MAX + 1]; /* owned */
    int n_nodes;
    struct lab_ledger **ledgers; /* owned array of owned ledgers; number 1 is [0] */
    uint32_t n_ledgers, cap_ledgers;
    struct lab_conn **conns; /* owned array of owned connections */
    uint32_t n_conns, cap_conns;
    struct lab_inbox *inbox, **inbox_tail;
    struct lab_sender *senders[LAB_SENDERS_MAX];
    int n_senders;
    uint64_t n_messages;
    uint64_t changes; /* how often something changed */
    bool closing;     /* the story is over: nothing is counted any more */
    /* The first promise that was broken, whatever the script expects: a wrong byte, a
     * message twice, out of order or behind a gap. In words, and as a signature
     * (sim/check/checkers.h). */
    char fault[300], fault_signature[120];
    /* The scenario's thread stops waiting when this says so (time limit, Ctrl-C). */
    bool (*is_stopped)(void *arg);
    void *stop_arg;
    _Atomic bool stop_senders;
    bool disturbed;     /* the scenario did something that others would call a fault */
    uint64_t acted_ns;  /* when it last did so; 0: never */
    bool ended;         /* it ended a session itself: close, rebind, kill */
    uint64_t healed_ns; /* when all faults ended; 0: not yet, or there are others since */
};

/* 0 or -ENOMEM. */
int lab_new(struct world *world, struct lab **ret);
/* Ends everything: senders, messengers, threads; frames still under way are lost. Fills
 * node->counters. Twice is fine. */
void lab_shutdown(struct lab *lab);
void lab_free(struct lab *lab); /* shut down first; NULL is fine */

static inline void lab_lock(struct lab *lab)
{
    os_lock(lab->world->os, lab->lock);
}
static inline void lab_unlock(struct lab *lab)
{
    os_unlock(lab->world->os, lab->lock);
}
uint64_t lab_now(struct lab *lab);
/* With the lock held: tells whoever waits. */
void lab_changed(struct lab *lab);
/* With the lock held: waits for a change, at most until that time; or shorter. */
void lab_wait_change(struct lab *lab, uint64_t until_ns);
/* Nobody should wait any more: the end of the story, a time limit, Ctrl-C. Any thread. */
bool lab_is_stopped(struct lab *lab);

/* ---- nodes (lab.c) ---- */

/* A node that is not started. NULL with a sentence in `why`: too many, no memory. */
struct lab_node *lab_node_new(struct lab *lab, const struct lab_node_opts *opts, char *why,
                              size_t size);
struct lab_node *lab_node_find(struct lab *lab, const char *name);
/* Starts it, and binds it if it serves. 0, or a negative errno with `why`. */
int lab_node_start(struct lab_node *node, char *why, size_t size);
/* It listens elsewhere from now on, and its connections are marked down (Ceph does so when
 * it was taken for dead). 0 or a negative errno; then nothing has changed. -EBUSY: it
 * stands still, and its workers would have to help. */
int lab_node_rebind(struct lab_node *node);
/* Its counters now; exact after lab_shutdown. Zeros if it was never started. */
void lab_node_counters(const struct lab_node *node, uint64_t ret[LAB_COUNTERS]);
/* Everything accepted so far was handed to the stacks; false after that time. */
bool lab_drain(struct lab *lab, uint64_t timeout_ns);

/* ---- policies (policy.c) ---- */

/*
 * A node has one policy for each type of peer, as a messenger has. It is said once, by the
 * node or by a connection; what nobody said follows from the first connection. Both hold
 * from then on, whether the node runs by then or not.
 */

/* The scenario says it; peer_type 0: for all that have no other. 0; -EEXIST: it said
 * another one, or -EBUSY: another one followed from a connection; *ret_former is that. */
int lab_policy_say(struct lab_node *node, int peer_type, const struct policy *policy,
                   const char *where, const struct lab_policy **ret_former);
/* It follows from a connection, unless the scenario said one. 0; -EBUSY: from a former one
 * followed a policy with which the session would not be what it is to be (lossy or not);
 * *ret_former is that. */
int lab_policy_follow(struct lab_node *node, int peer_type, const struct policy *policy,
                      const char *where, const struct lab_policy **ret_former);
/* What was said or followed; NULL: nothing. */
const struct lab_policy *lab_policy_find(const struct lab_node *node, int peer_type);
/* What the node does: that, or serve without state. */
const struct policy *lab_node_policy(const struct lab_node *node, int peer_type);
/* Gives the messenger what is known before it starts. */
void lab_policy_configure(struct lab_node *node);

/* ---- what befalls nodes (fate.c) ---- */

/* All its workers stand still (true) or go on, between two of their passes: whoever calls
 * into the node does not wait for them. 0 or a negative errno. */
int lab_node_pause(struct lab_node *node, bool on);
bool lab_node_is_paused(const struct lab_node *node);
/* Also frozen: whatever needs its threads would wait for them. */
bool lab_node_stands_still(const struct lab_node *node);
/* All its threads stand still for so long, wherever they are, with locks in their hands.
 * -EOPNOTSUPP outside the simulated world; -ESRCH: it does not run. */
int lab_node_freeze(struct lab_node *node, uint64_t ns);
/* It dies: the process, or (power_loss) the machine. What was not sent is lost, its
 * connections are closed. -EOPNOTSUPP outside the simulated world; -ESRCH: it does not run;
 * -ENOMEM. Not from a handler. */
int lab_node_kill(struct lab_node *node, bool power_loss);
/* A new life at the same address, with the nonce of the former one or another. As
 * lab_node_start; -EINVAL: it is not dead. */
int lab_node_restart(struct lab_node *node, bool same_nonce, char *why, size_t size);
/* It died and was not restarted. */
static inline bool lab_node_is_dead(const struct lab_node *node)
{
    return node->lives > 0 && !node->started;
}
/* Shuts down and frees former lives; for lab_shutdown. */
void lab_bury_all(struct lab *lab);
/* With the lock or without: the scenario does to links or nodes what others would call a
 * fault; also after healing, which then has to be done again. */
void lab_disturb(struct lab *lab);
/* No faults any more: those of rules and profile stop, links are whole, who stands still
 * goes on; who is dead stays dead. Twice is fine. */
void lab_heal(struct lab *lab);
/* Something happened in this run that a network or a machine does and a program cannot help
 * (a fault fired, a link was cut, a node stood still or died). */
bool lab_is_disturbed(struct lab *lab);
/* A fault with one of these consequences (fault_list.h) happened in this run. */
bool lab_has_met(struct lab *lab, int consequences);
/* A profile made the world: it may be slow and narrow beyond what the script thought of. */
bool lab_is_shaped(const struct lab *lab);
/* How long after lab_heal everything may take to come right: from the nodes' time-outs. */
uint64_t lab_converge_ns(const struct lab *lab);

/* ---- applications that keep messages (keep.c) ---- */

/* It keeps all it receives from that node, and with it the budgets they hold. */
void lab_node_keep(struct lab_node *node, struct lab_node *from);
/* No more, and what it kept is done. */
void lab_node_let_go(struct lab_node *node);
/* Under the lock, of a message that `node` received: keeps it, if it is to. */
void lab_keep_message(struct lab_node *node, const struct lab_node *from,
                      struct message *msg);

/* ---- what is not up (unconnected.c) ---- */

/* Lines that say of each connection that is not up who dials whom, in which state it is,
 * how often it dialled and why it failed last; and who could not accept. The caller's;
 * NULL: there are none, or no memory. With `stuck` the world stands still, and nothing is
 * asked that takes a lock. */
char *lab_unconnected(struct lab *lab, bool stuck);
/* On Linux, and no fault of the script's made it so: this process has no descriptor left,
 * and some connection is not up for it. */
bool lab_is_out_of_files(struct lab *lab);

/* ---- connections and messages (send.c) ---- */

/* A connection of `node` to `peer`, which is started and bound. The same object for the
 * same connection. 0, or a negative errno of the engine. */
int lab_connect(struct lab_node *node, struct lab_node *peer, bool anon,
                struct lab_conn **ret);
/* To somebody outside the run. */
int lab_connect_outside(struct lab_node *node, int peer_type,
                        const struct entity_addrvec *addrs, bool anon,
                        struct lab_conn **ret);
void lab_conn_close(struct lab_conn *conn);
/* Under the lock: the script ends it at this end, by `how`; nothing is closed here. */
static inline void lab_conn_end(struct lab_conn *conn, enum lab_end how)
{
    conn->closed = true;
    conn->end = conn->end != LAB_END_NOT ? conn->end : how;
    conn->lab->ended = true;
}
/* Under the lock: it is over, for that reason. The reference is the caller's now; NULL: it
 * was over before. */
struct connection *lab_conn_over(struct lab_conn *conn, const char *why);
/* Why it is over, or not up yet; "" if there is nothing to tell. Returns buf. */
const char *lab_conn_why(struct lab_conn *conn, char *buf, size_t size);
/* The connection with a reference for the caller, or NULL if it is over. Any thread. */
struct connection *lab_conn_get(struct lab_conn *conn);
/* The ledger of sends by address from `node` to `peer`. NULL: no memory. */
struct lab_ledger *lab_pair_ledger(struct lab_node *node, struct lab_node *peer);

/* What to send. */
struct lab_spec {
    uint16_t type, priority;
    uint32_t bytes[3];
    const void *literal[3]; /* borrowed; NULL: a pattern */
    uint16_t lane;
    bool wait;   /* while out_q is full */
    bool strict; /* the script wants to be told when the session is over */
};

/* Sends one message on the ledger's connection, or by address. Any thread. 0 with the
 * index; -EAGAIN (out_q is full and spec->wait is false), -ENOTCONN, -ECANCELED (the run is
 * being stopped), -ENOSPC (too many messages), -ENOMEM. */
int lab_send(struct lab_ledger *ledger, const struct lab_spec *spec, uint32_t *ret_index);
/* Books n messages that were not sent because the session is over: they have indexes like
 * all others, and nobody waits for them. 0 with the index of the first; -ENOSPC, -ENOMEM.
 * Any thread. */
int lab_book_unsent(struct lab_ledger *ledger, const struct lab_spec *spec, uint64_t n,
                    uint32_t *ret_first);
/* Answers a received message on its connection; *ret_ledger is set also if that fails, but
 * for want of memory. */
int lab_reply(struct lab_node *node, struct message *msg, const struct lab_spec *spec,
              struct lab_ledger **ret_ledger, uint32_t *ret_index);
/* Sends a received message back as it is. Any thread; never waits. */
void lab_echo(struct lab_node *node, struct message *msg, const struct lab_entry *entry);
/* ---- threads of the application (senders.c) ---- */

/* Starts a thread of the application on the ledger's node that sends n messages. Literals
 * must stay. */
int lab_sender_start(struct lab_ledger *ledger, const struct lab_spec *spec, uint64_t n);
/* Joins them, those of dead nodes or the others; they stop at once when lab->stop_senders
 * is set. */
void lab_senders_join(struct lab *lab, bool dead);
/* Under the lock: the node died, and its senders with it. */
void lab_senders_died(struct lab *lab, const struct lab_node *node);
/* Senders that have not finished; errors of those that have: 0 or the first errno. */
int lab_senders_running(struct lab *lab, int *ret_error);

/* ---- receiving (receive.c) ---- */

/* The callbacks of a node. */
struct dispatcher lab_dispatcher(struct lab_node *node);
/* Under the lock: a promise is broken. Ends a simulated run; on Linux it is remembered. The
 * first one wins. `rule` is the signature without the node. */
void lab_violate(struct lab *lab, const struct lab_node *node, const char *rule,
                 const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* The next message for a handler, or NULL. The caller frees it with lab_inbox_free. */
struct lab_inbox *lab_inbox_pop(struct lab *lab);
void lab_inbox_free(struct lab_inbox *item);

/* Under the lock: the ledger of that number, the entry of that index; NULL: there is none.
 */
struct lab_ledger *lab_ledger_find(struct lab *lab, uint32_t number);
struct lab_entry *lab_entry_find(struct lab_ledger *ledger, uint32_t index);
/* Under the lock: a new ledger. NULL: no memory, too many. */
struct lab_ledger *lab_ledger_new(struct lab *lab, struct lab_node *from,
                                  struct lab_node *to);
/* Under the lock: a new connection object with a ledger; takes over the reference. */
struct lab_conn *lab_conn_new(struct lab_node *node, struct lab_node *peer,
                              struct connection *conn, bool accepted);

/* Sums over the ledgers, for expectations and the summary. Takes the lock. */
struct lab_sums {
    uint64_t sent, delivered, duplicates, inversions, corrupt, failed, unsent;
};
/* Of messages received by `to` (NULL: all), from that node, from that ledger (NULL: any).
 */
void lab_sums(struct lab *lab, const struct lab_node *to, const struct lab_node *from,
              const struct lab_ledger *ledger, struct lab_sums *ret);

#endif
