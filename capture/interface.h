/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The network interfaces of the network namespace that the list was made in, and what becomes of them, by rtnetlink(7).
 * Needs no privilege.
 */
#include "linktype.h"

#include <glib.h>
#include <net/if.h>
#include <stdbool.h>

struct ec_interface {
    int ifindex;
    char name[IF_NAMESIZE];
    unsigned type;      /* ARPHRD_ */
    int linktype;       /* what a tc program sees on it: enum ec_linktype */
    const char *reason; /* EC_LINKTYPE_NONE: why it can't be captured, static; else NULL */
    bool up;            /* IFF_UP: set up by the administrator; a carrier is not asked for */
    bool loopback;
};

enum ec_interface_event {
    EC_INTERFACE_UP,      /* is up: has been set up, or has appeared so */
    EC_INTERFACE_DOWN,    /* exists, no longer up */
    EC_INTERFACE_GONE,    /* no longer exists here; what was attached to it is gone */
    EC_INTERFACE_RENAMED, /* has the name that `interface` shows; `old_name` was it before */
};

enum ec_interface_error { EC_INTERFACE_ERROR_SYSTEM };
#define EC_INTERFACE_ERROR (ec_interface_error_quark())
GQuark ec_interface_error_quark(void);

typedef struct ec_interface_list ec_interface_list;
/* Lists what is there and watches it from then on: nothing falls between. */
ec_interface_list *ec_interface_list_new(GError **error);
void ec_interface_list_free(ec_interface_list *list);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ec_interface_list, ec_interface_list_free)

/* Borrowed, of struct ec_interface *, by ifindex; valid until the next read. */
GPtrArray *ec_interface_list_get(ec_interface_list *list);
/* Borrowed likewise; NULL if there is none. */
const struct ec_interface *ec_interface_list_find(ec_interface_list *list, const char *name);

/* Readable when ec_interface_list_read() has something to do. Borrowed. */
int ec_interface_list_get_fd(const ec_interface_list *list);
/* `interface` is borrowed for the call; on EC_INTERFACE_GONE it shows the last that was known. `old_name` is NULL but
 * on EC_INTERFACE_RENAMED. Must not call the list. */
typedef void (*ec_interface_function)(enum ec_interface_event event, const struct ec_interface *interface,
                                      const char *old_name, void *data);
/* Takes in what has changed, without blocking, and calls `function` for it. Lists anew if the kernel had to drop
 * messages (ENOBUFS). */
bool ec_interface_list_read(ec_interface_list *list, ec_interface_function function, void *data, GError **error);
