/* SPDX-License-Identifier: Apache-2.0 */
/* socket.h: a descriptor that is bound, listens, or has one end of a stream. */
#ifndef MSGRLAB_SIM_NET_SOCKET_H
#define MSGRLAB_SIM_NET_SOCKET_H

#include "sim/node/file.h"
#include "sim/net/stream.h"

struct sim_socket {
    struct sim_file file;
    sa_family_t family;
    struct sim_addr local;     /* family 0: not bound */
    struct list of_port;       /* in net.bound */
    struct stream_end *stream; /* NULL: none yet */
    bool listening, reuse, linger0;
    bool connected; /* accepted, or told so by connect */
    int backlog;
    int sndbuf, rcvbuf;
    struct list incoming, accepted; /* of stream.of_listener: handshakes; ready to accept */
    int n_incoming, n_accepted;
};

bool sim_file_is_socket(const struct sim_file *f);
bool sim_socket_listens(struct sim_file *f); /* a socket */
/* Its machine lost power: the socket is freed, and no peer is told. */
void sim_socket_vanish(struct sim_file *f);

static inline struct net *net_of(const struct sim_node *n)
{
    return n->env->net;
}

#endif
