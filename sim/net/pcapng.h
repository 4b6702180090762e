/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pcapng.h: writes captures that Wireshark reads (IETF draft-ietf-opsawg-pcapng). One
 * interface for each node, times in nanoseconds. Fit to be a world's tap (tap.h).
 *
 * A capture is written to NAME.part, and has its name once it is whole; what was there
 * before stays until then. If writing fails, or something ends the process, NAME.part is
 * what is left: whole blocks, which Wireshark reads. Devices and pipes are written
 * directly.
 */
#ifndef MSGRLAB_SIM_NET_PCAPNG_H
#define MSGRLAB_SIM_NET_PCAPNG_H

#include <stddef.h>
#include <stdint.h>

struct pcapng;

/* 0; a negative errno; -EEXIST: there is a file, or a NAME.part, that is no capture, and
 * stays as it is. */
int pcapng_open(const char *path, struct pcapng **ret);
/* One Ethernet frame (sim_tap_fn). Errors are kept for pcapng_close. */
void pcapng_frame(void *pcapng, uint8_t node, uint64_t time_ns, const uint8_t *frame,
                  size_t len);
/* 0; a negative errno of the first write that failed. Frees it. NULL is fine. */
int pcapng_close(struct pcapng *p);
uint64_t pcapng_frames(const struct pcapng *p);

#endif
