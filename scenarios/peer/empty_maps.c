/* SPDX-License-Identifier: Apache-2.0 */
/* empty_maps.c: MgrMap and FSMap of an empty cluster. */
#include "scenarios/peer/empty_maps.h"

#include "engine/entity_addr.h"
#include "scenarios/peer/ceph_encoding.h"

#define MGRMAP_VERSION 12
#define MGRMAP_COMPAT 6
#define FSMAP_VERSION 7
#define FSMAP_COMPAT 6
#define NO_FILE_SYSTEM ((uint32_t)-1)

void mgr_map_encode(struct wire_writer *w, uint32_t epoch)
{
    const struct entity_addrvec nowhere = {0};
    const struct ceph_time never = {0};
    uint8_t *length = ceph_begin_envelope(w, MGRMAP_VERSION, MGRMAP_COMPAT);

    wire_put_u32(w, epoch);
    entity_addrvec_encode(w, &nowhere); /* of the active manager, ... */
    wire_put_u64(w, 0);                 /* ... its global id ... */
    wire_put_u8(w, 0);                  /* ... (it is not available) ... */
    ceph_put_text(w, "");               /* ... and its name */
    wire_put_u32(w, 0);                 /* standbys */
    wire_put_u32(w, 0);                 /* modules that are on */
    wire_put_u32(w, 0);                 /* services */
    wire_put_u32(w, 0);                 /* modules there are */
    ceph_put_time(w, &never);           /* the last change of the active one */
    wire_put_u32(w, 0);                 /* modules that are always on */
    wire_put_u64(w, 0);                 /* features of the active one */
    wire_put_u32(w, 0);                 /* epoch of the osd map at its last failure */
    wire_put_u32(w, 0);                 /* addresses of its clients ... */
    wire_put_u32(w, 0);                 /* ... and their names */
    ceph_end_envelope(w, length);
}

/* No feature is required, nor known. */
static void put_compat_set(struct wire_writer *w)
{
    for (int i = 0; i < 3; i++) { /* compat, ro_compat, incompat */
        wire_put_u64(w, 0);
        wire_put_u32(w, 0);
    }
}

void fs_map_encode(struct wire_writer *w, uint32_t epoch)
{
    uint8_t *length;

    wire_put_u32(w, epoch);
    length = ceph_begin_envelope(w, FSMAP_VERSION, FSMAP_COMPAT);
    wire_put_u32(w, epoch);
    wire_put_u64(w, 1);              /* id of the next file system */
    wire_put_u32(w, NO_FILE_SYSTEM); /* the default one */
    put_compat_set(w);
    wire_put_u8(w, 1);  /* several may be made */
    wire_put_u32(w, 0); /* file systems */
    wire_put_u32(w, 0); /* daemons in them */
    wire_put_u32(w, 0); /* standbys ... */
    wire_put_u32(w, 0); /* ... and their epochs */
    wire_put_u8(w, 1);  /* several might have been made */
    ceph_end_envelope(w, length);
}

void fs_map_user_encode(struct wire_writer *w, uint32_t epoch)
{
    uint8_t *length;

    wire_put_u32(w, epoch);
    length = ceph_begin_envelope(w, 1, 1);
    wire_put_u32(w, epoch);
    wire_put_u32(w, NO_FILE_SYSTEM);
    wire_put_u32(w, 0); /* file systems */
    ceph_end_envelope(w, length);
}
