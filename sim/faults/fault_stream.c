/* SPDX-License-Identifier: Apache-2.0 */
/* fault_stream.c: the injector's calls that move bytes. */
#include <errno.h>
#include <string.h>

#include "sim/faults/fault_os_impl.h"

#define RECV_AGAIN_NS NSEC_PER_USEC
#define SEND_AGAIN_NS (10 * NSEC_PER_MSEC)
#define VANISH_NS NSEC_PER_MSEC
#define DRAIN_BYTES 64
#define DRAIN_CALLS 300 /* then the peer reads as before */
#define DRAIN_NS NSEC_PER_MSEC
#define SHORT_DRAWS 64

static uint64_t now_of(struct fault_os *fo)
{
    return os_monotonic_ns(fo->inner);
}

static uint64_t after(struct fault_os *fo, uint64_t ns)
{
    uint64_t now = now_of(fo);

    return ns >= FAULT_FOR_EVER - now ? FAULT_FOR_EVER : now + ns;
}

/* What a dead transport says: its error once, then `later`. */
static int take_error(struct fault_fd *e, int later)
{
    int error = e->error;

    CHECK(e->state == FAULT_DEAD);
    e->error = 0;
    return error != 0 ? -error : later;
}

static void watch(struct frame_watch *w, void *buf, size_t len)
{
    const struct iovec iov = {.iov_base = buf, .iov_len = len};

    frame_watch_advance(w, &iov, 1, len);
}

/* The fault of a read or written frame. 0; < 0: what the call says. */
static int at_frame(struct fault_os *fo, struct fault_fd *e, enum fault_id id,
                    const struct fault_shot *shot)
{
    switch (id) {
    case FAULT_T05_PAUSE:
        os_sleep_ns(fo->inner, fault_time(shot, NSEC_PER_MSEC));
        return 0;
    case FAULT_S06_EAGAIN:
        fault_fd_hold(fo, e, DIR_READ, after(fo, fault_time(shot, RECV_AGAIN_NS)));
        return -EAGAIN;
    case FAULT_S07_EAGAIN:
        fault_fd_hold(fo, e, DIR_WRITE, after(fo, fault_time(shot, SEND_AGAIN_NS)));
        return -EAGAIN;
    case FAULT_S07_VANISH:
        e->state = FAULT_VANISHING;
        e->error = shot->err;
        e->reset_at = after(fo, fault_time(shot, VANISH_NS));
        fault_fd_busy(fo, e);
        return 0;
    case FAULT_S06_FIN:
        e->is_eof = true;
        e->n_stash = 0;
        fault_fd_busy(fo, e);
        return 0;
    case FAULT_S06_RESET:
    case FAULT_S06_TIMED_OUT:
    case FAULT_S07_RESET:
    case FAULT_S07_EPIPE:
    case FAULT_S07_ENOBUFS:
        fault_fd_kill(fo, e,
                      shot->err != 0              ? shot->err
                      : id == FAULT_S06_TIMED_OUT ? ETIMEDOUT
                      : id == FAULT_S07_EPIPE     ? EPIPE
                      : id == FAULT_S07_ENOBUFS   ? ENOBUFS
                                                  : ECONNRESET);
        return take_error(e, -EPIPE);
    default:
        CHECK(!"a fault for frames"); /* sim_faults_add lets no other in */
        return 0;
    }
}

/* ---- receiving --------------------------------------------------------------------- */

/* How many bytes a short read gives, of at most len. */
static size_t short_bytes(const struct fault_fd *e, const struct fault_shot *shot,
                          size_t len)
{
    uint64_t code = shot->value != 0 ? shot->value : shot->draw;
    uint64_t until = frame_watch_until(&e->in);

    switch (code) {
    case 1:
        return 1;
    case 2:
        return (size_t)MIN((uint64_t)len, until);
    case 3:
        return (size_t)MIN((uint64_t)len, until < UINT64_MAX ? until + 1 : until);
    default:
        return (size_t)MIN((uint64_t)len, code - 3);
    }
}

/* Reads below, and watches. */
static ssize_t recv_below(struct fault_os *fo, struct fault_fd *e, void *buf, size_t len)
{
    ssize_t n = os_recv(fo->inner, e->fd, buf, len);

    if (n > 0) {
        watch(&e->in, buf, (size_t)n);
    }
    return n;
}

/* The preamble of a frame has just been read, the end of it into buf. What the call gives:
 * n, or what the frame's fault makes of it. */
static ssize_t recv_frame(struct fault_os *fo, struct fault_fd *e, void *buf, ssize_t n)
{
    struct fault_place place;
    struct fault_shot shot;
    enum fault_id id;
    int err;

    fault_place_of(fo, e, &place);
    place.frame = e->in.tag;
    place.side = FAULT_READ;
    if (!sim_faults_ask_frame(fo->f, &place, &id, &shot)) {
        return n;
    }
    err = at_frame(fo, e, id, &shot);
    if (err == -EAGAIN) {
        CHECK(e->n_stash == 0 && (size_t)n <= sizeof(e->stash));
        memcpy(e->stash, buf, (size_t)n);
        e->n_stash = (size_t)n;
    }
    return err < 0 ? err : e->is_eof ? 0 : n;
}

/* Reads to where the next preamble or frame ends. */
static ssize_t recv_piece(struct fault_os *fo, struct fault_fd *e, void *buf, size_t len)
{
    uint64_t frames = e->in.frames;
    ssize_t n =
        recv_below(fo, e, buf, (size_t)MIN((uint64_t)len, frame_watch_until(&e->in)));

    return n > 0 && e->in.frames != frames ? recv_frame(fo, e, buf, n) : n;
}

/* What was held back comes first. */
static size_t take_stash(struct fault_fd *e, void *buf, size_t len)
{
    size_t n = MIN(len, e->n_stash);

    CHECK(e->n_stash <= sizeof(e->stash));
    memcpy(buf, e->stash, n);
    memmove(e->stash, e->stash + n, e->n_stash - n);
    e->n_stash -= n;
    return n;
}

/* Reads on, frame by frame, until there is no more, or a fault says otherwise; that is told
 * by the next call if this one has something to give. */
static ssize_t recv_frames(struct fault_os *fo, struct fault_fd *e, uint8_t *buf,
                           size_t len)
{
    size_t got = take_stash(e, buf, len);
    ssize_t n = 1;

    while (got < len && n > 0) {
        n = recv_piece(fo, e, buf + got, len - got);
        got += n > 0 ? (size_t)n : 0;
    }
    if (n > 0 || got == 0) {
        return n > 0 ? (ssize_t)got : n;
    }
    if (n < 0 && n != -EAGAIN) {
        fault_fd_kill(fo, e, (int)-n); /* says so at the next call */
    } else if (n == 0) {
        fault_fd_rearm(fo, e);
    }
    return (ssize_t)got;
}

/* Faults of the call as such. True: *ret is what it says. */
static bool recv_fails(struct fault_os *fo, struct fault_fd *e, ssize_t *ret)
{
    struct fault_shot shot;

    CHECK(e->state == FAULT_ALIVE);
    if (fault_ask(fo, FAULT_S06_EAGAIN, e, FAULT_TIME_DRAWS, &shot)) {
        *ret = at_frame(fo, e, FAULT_S06_EAGAIN, &shot);
        return true;
    }
    if (fault_ask(fo, FAULT_S06_FIN, e, 1, &shot)) {
        *ret = at_frame(fo, e, FAULT_S06_FIN, &shot);
        return true;
    }
    if (fault_ask(fo, FAULT_S06_RESET, e, 1, &shot)) {
        *ret = at_frame(fo, e, FAULT_S06_RESET, &shot);
        return true;
    }
    if (fault_ask(fo, FAULT_S06_TIMED_OUT, e, 1, &shot)) {
        *ret = at_frame(fo, e, FAULT_S06_TIMED_OUT, &shot);
        return true;
    }
    if (fault_ask(fo, FAULT_S06_RESET_DRAINED, e, 1, &shot)) {
        e->state = FAULT_DRAINING;
        e->error = shot.err != 0 ? shot.err : ECONNRESET;
        e->extra = OS_READABLE | OS_WRITABLE;
        fault_fd_busy(fo, e);
    }
    return false;
}

/* Nothing is left to read: the reset is due. */
static ssize_t end_of_drain(struct fault_os *fo, struct fault_fd *e)
{
    fault_fd_kill(fo, e, e->error);
    return take_error(e, 0);
}

ssize_t fault_recv(struct os *os, int fd, void *buf, size_t len)
{
    struct fault_os *fo = to_fault_os(os);
    struct fault_fd *e = fault_fd_get(fo, fd);
    struct fault_shot shot;
    size_t most = len;
    ssize_t n;

    if (e == NULL) {
        return os_recv(fo->inner, fd, buf, len);
    }
    fault_pause(fo, e, POINT_RECV);
    if (e->state == FAULT_DEAD) {
        return take_error(e, 0);
    }
    if (e->is_eof) {
        return 0;
    }
    if (e->state == FAULT_AWAITING || fault_fd_is_held(fo, e, DIR_READ)) {
        return -EAGAIN;
    }
    if (e->state == FAULT_ALIVE && recv_fails(fo, e, &n)) {
        return n;
    }
    if (fault_ask(fo, FAULT_S06_SHORT_RECV, e, SHORT_DRAWS, &shot)) {
        most = MAX(1u, short_bytes(e, &shot, len));
    }
    if (sim_faults_wants_frames(fo->f, FAULT_READ) || e->n_stash > 0) {
        n = recv_frames(fo, e, buf, most);
    } else {
        n = recv_below(fo, e, buf, most);
    }
    if (n == (ssize_t)most && most < len) {
        fault_fd_rearm(fo, e); /* the rest arrives a moment later */
    }
    return e->state == FAULT_DRAINING && n <= 0 ? end_of_drain(fo, e) : n;
}

/* ---- sending ----------------------------------------------------------------------- */

static size_t iov_bytes(const struct iovec *iov, int n)
{
    size_t bytes = 0;

    for (int i = 0; i < n; i++) {
        bytes += iov[i].iov_len;
    }
    return bytes;
}

/* Sends no more than `most` bytes of it below. */
static ssize_t send_below(struct fault_os *fo, struct fault_fd *e, const struct iovec *iov,
                          int n, bool more, size_t most)
{
    struct iovec part;
    size_t before = 0;
    ssize_t sent = 0, all = 0;
    int whole = 0;

    while (whole < n && before + iov[whole].iov_len <= most) {
        before += iov[whole++].iov_len;
    }
    if (whole > 0) {
        all = sent = os_send(fo->inner, e->fd, iov, whole, more);
    }
    if (whole < n && before < most && sent == (ssize_t)before) {
        part = (struct iovec){.iov_base = iov[whole].iov_base, .iov_len = most - before};
        sent = os_send(fo->inner, e->fd, &part, 1, more);
        all = sent >= 0 ? all + sent : whole > 0 ? all : sent;
    }
    return all;
}

/* Looks for a frame that is to be hit. The bytes before it may go: their number. */
static size_t scan_frames(struct fault_os *fo, struct fault_fd *e, const struct iovec *iov,
                          int n, size_t most)
{
    struct fault_place place;
    struct frame_scan scan;
    struct frame_start start;

    CHECK(most > 0);
    frame_scan_begin(&scan, &e->out, iov, n);
    fault_place_of(fo, e, &place);
    place.side = FAULT_WRITE;
    while (frame_scan_next(&scan, &start)) {
        if (e->due.index == 0 && start.index > e->asked_out) {
            e->asked_out = start.index;
            place.frame = start.tag;
            if (sim_faults_ask_frame(fo->f, &place, &e->due.id, &e->due.shot)) {
                e->due.index = start.index;
            }
        }
        if (e->due.index == start.index) {
            return MIN(most, start.offset);
        }
    }
    return most;
}

/* s08_iov_cut: where in the iovecs. */
static size_t iov_cut(const struct iovec *iov, int n, uint64_t value)
{
    uint64_t k = (value + 2) / 3;
    size_t end = iov_bytes(iov, (int)MIN(k, (uint64_t)n));

    return value % 3 == 1 ? end - 1 : value % 3 == 2 ? end : end + 1;
}

/* How many bytes the call may take, by faults that only shorten it. */
static size_t send_limit(struct fault_os *fo, struct fault_fd *e, const struct iovec *iov,
                         int n)
{
    size_t most = iov_bytes(iov, n);
    struct fault_shot shot;

    CHECK(n > 0);
    if (fault_ask(fo, FAULT_S07_SHORT_SEND, e, SHORT_DRAWS, &shot)) {
        most = MIN(most, shot.value != 0 ? (size_t)shot.value : (size_t)shot.draw);
    }
    if (fault_ask(fo, FAULT_S08_IOV_CUT, e, SHORT_DRAWS, &shot)) {
        most = MIN(most, iov_cut(iov, n, shot.value != 0 ? shot.value : shot.draw));
    }
    if (fault_ask(fo, FAULT_S14_SLOW_DRAIN, e, FAULT_TIME_DRAWS, &shot)) {
        e->drain_bytes = shot.value != 0 ? shot.value : DRAIN_BYTES;
        e->drain_ns = fault_time(&shot, DRAIN_NS);
        e->drain_calls = DRAIN_CALLS;
    }
    if (e->drain_bytes != 0 && !sim_faults_are_stopped(fo->f)) {
        most = MIN(most, (size_t)e->drain_bytes);
        e->drain_bytes = --e->drain_calls > 0 ? e->drain_bytes : 0;
    }
    return MAX(most, (size_t)1);
}

/* Faults of the call as such. True: *ret is what it says. */
static bool send_fails(struct fault_os *fo, struct fault_fd *e, ssize_t *ret)
{
    static const enum fault_id ids[] = {FAULT_S07_EAGAIN, FAULT_S07_EPIPE, FAULT_S07_RESET,
                                        FAULT_S07_ENOBUFS, FAULT_S07_VANISH};
    struct fault_shot shot;

    for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
        if (fault_ask(fo, ids[i], e, FAULT_TIME_DRAWS, &shot)) {
            *ret = at_frame(fo, e, ids[i], &shot);
            return *ret < 0;
        }
    }
    return false;
}

/* What became of it: frames pass, and what was left over will be wanted again. */
static ssize_t sent(struct fault_os *fo, struct fault_fd *e, const struct iovec *iov, int n,
                    ssize_t bytes, size_t want)
{
    if (bytes <= 0) {
        return bytes;
    }
    frame_watch_advance(&e->out, iov, n, (size_t)bytes);
    if (e->drain_bytes != 0 && !sim_faults_are_stopped(fo->f)) {
        fault_fd_hold(fo, e, DIR_WRITE, after(fo, e->drain_ns));
    } else if ((size_t)bytes < want) {
        fault_fd_rearm(fo, e);
    }
    return bytes;
}

/* Where a frame's fault ends this call, and what the fault says. *most: how much may go. */
static int send_frames(struct fault_os *fo, struct fault_fd *e, const struct iovec *iov,
                       int n, size_t *most)
{
    size_t limit = *most;
    int err = 0;

    CHECK(*most > 0);
    if (e->state != FAULT_ALIVE ||
        (e->due.index == 0 && !sim_faults_wants_frames(fo->f, FAULT_WRITE))) {
        return 0;
    }
    *most = scan_frames(fo, e, iov, n, limit);
    while (*most == 0 && err == 0 && e->state == FAULT_ALIVE) {
        e->due.index = 0;
        err = at_frame(fo, e, e->due.id, &e->due.shot);
        *most = scan_frames(fo, e, iov, n, limit);
    }
    return err;
}

/* Whether the transport is in no state to take anything; *ret is what the call says. */
static bool is_shut(struct fault_os *fo, struct fault_fd *e, ssize_t *ret)
{
    if (e->state == FAULT_DRAINING) {
        fault_fd_kill(fo, e, e->error);
    }
    if (e->state == FAULT_DEAD) {
        *ret = take_error(e, -EPIPE);
        return true;
    }
    *ret = -EAGAIN;
    return e->state == FAULT_AWAITING || fault_fd_is_held(fo, e, DIR_WRITE);
}

ssize_t fault_send(struct os *os, int fd, const struct iovec *iov, int n, bool more)
{
    struct fault_os *fo = to_fault_os(os);
    struct fault_fd *e = fault_fd_get(fo, fd);
    size_t want = iov_bytes(iov, n), most;
    ssize_t err;

    if (e == NULL || want == 0) {
        return os_send(fo->inner, fd, iov, n, more);
    }
    fault_pause(fo, e, POINT_SEND);
    if (is_shut(fo, e, &err) || (e->state == FAULT_ALIVE && send_fails(fo, e, &err))) {
        return err;
    }
    most = send_limit(fo, e, iov, n);
    err = send_frames(fo, e, iov, n, &most);
    if (err < 0) {
        return err;
    }
    if (e->state == FAULT_VANISHING) {
        return sent(fo, e, iov, n, (ssize_t)want, want);
    }
    return sent(fo, e, iov, n, send_below(fo, e, iov, n, more, most), want);
}

/* ---- the wake-up pipe -------------------------------------------------------------- */

ssize_t fault_read(struct os *os, int fd, void *buf, size_t len)
{
    struct fault_os *fo = to_fault_os(os);
    struct fault_fd *e = fault_fd_get(fo, fd);
    struct fault_shot shot;
    size_t most = len;
    ssize_t n;

    if (e == NULL || e->kind != FAULT_FD_PIPE) {
        return os_read(fo->inner, fd, buf, len);
    }
    if (fault_fd_is_held(fo, e, DIR_READ)) {
        return -EAGAIN;
    }
    if (fault_ask(fo, FAULT_T02_READ_EAGAIN, e, 1, &shot)) {
        fault_fd_rearm(fo, e);
        return -EAGAIN;
    }
    if (fault_ask(fo, FAULT_T02_READ_SHORT, e, 1, &shot)) {
        most = MIN(len, shot.value != 0 ? (size_t)shot.value : 1);
    }
    n = os_read(fo->inner, fd, buf, most);
    if (n == (ssize_t)most && most < len) {
        fault_fd_rearm(fo, e);
    }
    return n;
}

/* Any thread may wake; the entry belongs to none. */
ssize_t fault_write(struct os *os, int fd, const void *buf, size_t len)
{
    struct fault_os *fo = to_fault_os(os);
    struct fault_fd *e = fault_fd_get(fo, fd);
    struct fault_shot shot;

    if (e == NULL || e->kind != FAULT_FD_PIPE) {
        return os_write(fo->inner, fd, buf, len);
    }
    fault_pause(fo, NULL, POINT_WAKE);
    if (fault_ask(fo, FAULT_T02_WAKE_FULL, NULL, 1, &shot)) {
        os_write(fo->inner, fd, buf, len);
        return -EAGAIN;
    }
    return os_write(fo->inner, fd, buf, len);
}
