/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One netlink socket both lists and watches: it joins RTNLGRP_LINK before it asks for the dump, so that a change
 * during the dump is seen too. A dump's answers and notifications look alike and are taken alike; what a dump doesn't
 * mention has gone.
 */
#include "interface.h"

#include <errno.h>
#include <linux/if_arp.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

G_DEFINE_QUARK(ec_interface_error, ec_interface_error)

/* ARPHRD_RAWIP, Linux 4.12; absent from some libc headers' copies */
#ifndef ARPHRD_RAWIP
#define ARPHRD_RAWIP 519
#endif

/* What a tc program sees at skb->data, by device type. An L3 device has no header there: ppp and the tunnels add and
 * take off theirs below tc (ppp_start_xmit, ppp_receive_nonmp_frame, ip_tunnel_rcv). */
static const struct {
    unsigned type;
    int linktype;
} link_types[] = {
    {ARPHRD_ETHER, EC_LINKTYPE_ETHERNET}, {ARPHRD_LOOPBACK, EC_LINKTYPE_ETHERNET},
    {ARPHRD_NONE, EC_LINKTYPE_RAW}, /* tun, WireGuard */
    {ARPHRD_RAWIP, EC_LINKTYPE_RAW},      {ARPHRD_PPP, EC_LINKTYPE_RAW},
    {ARPHRD_TUNNEL, EC_LINKTYPE_RAW},     {ARPHRD_TUNNEL6, EC_LINKTYPE_RAW},
    {ARPHRD_SIT, EC_LINKTYPE_RAW},        {ARPHRD_IPGRE, EC_LINKTYPE_RAW},
    {ARPHRD_IP6GRE, EC_LINKTYPE_RAW},
};

/* Answers of a dump are up to 32 KiB (netlink_dump). */
enum { RECEIVE_SIZE = 65536, DUMP_RETRIES = 16, DUMP_TIMEOUT_MS = 5000 };

struct entry {
    struct ec_interface interface; /* first: GPtrArray holds pointers to it */
    unsigned generation;           /* of the last dump that mentioned it */
};

struct ec_interface_list {
    int fd;
    unsigned generation;
    uint32_t sequence;
    GPtrArray *entries; /* of struct entry *, by ifindex */
    uint8_t *buffer;    /* RECEIVE_SIZE bytes */
};

/* Whom one round of reading reports to; `function` may be NULL. */
struct report {
    ec_interface_function function;
    void *data;
};

static void report_call(const struct report *report, enum ec_interface_event event, const struct entry *entry,
                        const char *old_name)
{
    if (report->function != NULL)
        report->function(event, &entry->interface, old_name, report->data);
}

static void interface_set_type(struct ec_interface *interface, unsigned type)
{
    interface->type = type;
    interface->loopback = type == ARPHRD_LOOPBACK;
    interface->linktype = EC_LINKTYPE_NONE;
    interface->reason = "its packets are neither Ethernet frames nor bare IP packets";
    for (size_t i = 0; i < G_N_ELEMENTS(link_types); i++) {
        if (link_types[i].type != type)
            continue;
        interface->linktype = link_types[i].linktype;
        interface->reason = NULL;
    }
}

/* Where the interface stands or, if it is not there, belongs. */
static guint entry_position(const ec_interface_list *list, int ifindex)
{
    guint position = 0;

    while (position < list->entries->len &&
           ((struct entry *)list->entries->pdata[position])->interface.ifindex < ifindex)
        position++;
    return position;
}

static struct entry *entry_find(const ec_interface_list *list, int ifindex)
{
    guint position = entry_position(list, ifindex);

    if (position == list->entries->len)
        return NULL;
    struct entry *entry = list->entries->pdata[position];
    return entry->interface.ifindex == ifindex ? entry : NULL;
}

static struct entry *entry_add(ec_interface_list *list, int ifindex, const char *name)
{
    struct entry *entry = g_new0(struct entry, 1);

    entry->interface.ifindex = ifindex;
    g_strlcpy(entry->interface.name, name, sizeof(entry->interface.name));
    g_ptr_array_insert(list->entries, (gint)entry_position(list, ifindex), entry);
    return entry;
}

static void entry_remove(ec_interface_list *list, const struct report *report, guint position)
{
    g_autofree struct entry *entry = g_ptr_array_steal_index(list->entries, position);

    report_call(report, EC_INTERFACE_GONE, entry, NULL);
}

static void link_set(ec_interface_list *list, const struct report *report, const struct ifinfomsg *link,
                     const char *name)
{
    struct entry *entry = entry_find(list, link->ifi_index);
    const bool up = (link->ifi_flags & IFF_UP) != 0;
    char old_name[IF_NAMESIZE];

    if (entry == NULL)
        entry = entry_add(list, link->ifi_index, name);
    entry->generation = list->generation;
    const bool was_up = entry->interface.up;
    g_strlcpy(old_name, entry->interface.name, sizeof(old_name));
    g_strlcpy(entry->interface.name, name, sizeof(entry->interface.name));
    interface_set_type(&entry->interface, link->ifi_type);
    entry->interface.up = up;
    if (strcmp(old_name, entry->interface.name) != 0)
        report_call(report, EC_INTERFACE_RENAMED, entry, old_name);
    if (up != was_up)
        report_call(report, up ? EC_INTERFACE_UP : EC_INTERFACE_DOWN, entry, NULL);
}

/* The name in an RTM_NEWLINK's attributes, NUL-terminated; NULL if there is none. */
static const char *link_get_name(struct nlmsghdr *message)
{
    int left = (int)IFLA_PAYLOAD(message);

    for (struct rtattr *attribute = IFLA_RTA(NLMSG_DATA(message)); RTA_OK(attribute, left);
         attribute = RTA_NEXT(attribute, left))
        if (attribute->rta_type == IFLA_IFNAME && memchr(RTA_DATA(attribute), '\0', RTA_PAYLOAD(attribute)) != NULL)
            return RTA_DATA(attribute);
    return NULL;
}

static void link_take(ec_interface_list *list, const struct report *report, struct nlmsghdr *message)
{
    const struct ifinfomsg *link = NLMSG_DATA(message);

    if (message->nlmsg_len < NLMSG_LENGTH(sizeof(*link)))
        return;
    /* A bridge tells of its ports in messages of its own family, whose RTM_DELLINK only means "left the bridge". */
    if (link->ifi_family != AF_UNSPEC)
        return;
    if (message->nlmsg_type == RTM_NEWLINK) {
        const char *name = link_get_name(message);
        if (name != NULL)
            link_set(list, report, link, name);
    } else if (entry_find(list, link->ifi_index) != NULL) {
        entry_remove(list, report, entry_position(list, link->ifi_index));
    }
}

enum receive_result {
    RECEIVE_SOME,
    RECEIVE_NOTHING,   /* would block */
    RECEIVE_OVERRUN,   /* messages were lost: dump */
    RECEIVE_DUMPED,    /* ours has ended */
    RECEIVE_DISTURBED, /* ours has ended, but the list changed meanwhile: dump again */
    RECEIVE_FAILED,    /* errno is set */
};

static enum receive_result message_take(ec_interface_list *list, const struct report *report, struct nlmsghdr *message,
                                        bool *disturbed)
{
    const bool ours = message->nlmsg_seq == list->sequence;

    if (ours && (message->nlmsg_flags & NLM_F_DUMP_INTR) != 0)
        *disturbed = true;
    switch (message->nlmsg_type) {
    case RTM_NEWLINK:
    case RTM_DELLINK:
        link_take(list, report, message);
        return RECEIVE_SOME;
    case NLMSG_DONE:
        return !ours ? RECEIVE_SOME : *disturbed ? RECEIVE_DISTURBED : RECEIVE_DUMPED;
    case NLMSG_ERROR: {
        const struct nlmsgerr *failure = NLMSG_DATA(message);
        if (message->nlmsg_len < NLMSG_LENGTH(sizeof(*failure)) || failure->error == 0)
            return RECEIVE_SOME;
        errno = -failure->error;
        return errno == EINTR ? RECEIVE_DISTURBED : RECEIVE_FAILED;
    }
    }
    return RECEIVE_SOME;
}

/* One datagram, without blocking. */
static enum receive_result list_receive(ec_interface_list *list, const struct report *report, bool *disturbed)
{
    struct sockaddr_nl sender = {0};
    socklen_t sender_len = sizeof(sender);
    ssize_t received =
        recvfrom(list->fd, list->buffer, RECEIVE_SIZE, MSG_DONTWAIT, (struct sockaddr *)&sender, &sender_len);

    if (received < 0 && errno == EINTR)
        return RECEIVE_SOME;
    if (received < 0)
        return errno == EAGAIN ? RECEIVE_NOTHING : errno == ENOBUFS ? RECEIVE_OVERRUN : RECEIVE_FAILED;
    if (sender.nl_pid != 0) /* not the kernel */
        return RECEIVE_SOME;
    size_t left = (size_t)received;
    for (struct nlmsghdr *message = (struct nlmsghdr *)list->buffer; NLMSG_OK(message, left);
         message = NLMSG_NEXT(message, left)) {
        enum receive_result result = message_take(list, report, message, disturbed);
        if (result != RECEIVE_SOME)
            return result;
    }
    return RECEIVE_SOME;
}

static bool fail(GError **error, const char *what)
{
    g_set_error(error, EC_INTERFACE_ERROR, EC_INTERFACE_ERROR_SYSTEM, "the network interfaces can't be %s: %s", what,
                g_strerror(errno));
    return false;
}

static bool dump_request(ec_interface_list *list, GError **error)
{
    struct {
        struct nlmsghdr header;
        struct ifinfomsg link;
    } request = {.header = {.nlmsg_len = sizeof(request),
                            .nlmsg_type = RTM_GETLINK,
                            .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
                            .nlmsg_seq = ++list->sequence}};

    list->generation++;
    if (send(list->fd, &request, sizeof(request), 0) != (ssize_t)sizeof(request))
        return fail(error, "listed");
    return true;
}

/* Reads until the dump's end; a second one can't be asked for before (EBUSY). */
static enum receive_result dump_receive(ec_interface_list *list, const struct report *report)
{
    struct pollfd poll_fd = {.fd = list->fd, .events = POLLIN};
    enum receive_result result = RECEIVE_SOME;
    bool disturbed = false;

    while (result == RECEIVE_SOME || result == RECEIVE_NOTHING) {
        result = list_receive(list, report, &disturbed);
        if (result == RECEIVE_OVERRUN) {
            disturbed = true;
            result = RECEIVE_SOME;
        }
        if (result == RECEIVE_NOTHING && poll(&poll_fd, 1, DUMP_TIMEOUT_MS) == 0) {
            errno = ETIMEDOUT;
            return RECEIVE_FAILED;
        }
    }
    return result;
}

static bool list_dump(ec_interface_list *list, const struct report *report, GError **error)
{
    enum receive_result result = RECEIVE_DISTURBED;

    for (unsigned i = 0; i < DUMP_RETRIES && result != RECEIVE_DUMPED; i++) {
        if (!dump_request(list, error))
            return false;
        result = dump_receive(list, report);
        if (result == RECEIVE_FAILED)
            return fail(error, "listed");
    }
    for (guint i = list->entries->len; result == RECEIVE_DUMPED && i-- > 0;)
        if (((struct entry *)list->entries->pdata[i])->generation != list->generation)
            entry_remove(list, report, i);
    return true;
}

static bool list_open(ec_interface_list *list, GError **error)
{
    const struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};

    list->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (list->fd < 0 || bind(list->fd, (const struct sockaddr *)&address, sizeof(address)) != 0)
        return fail(error, "watched");
    return true;
}

ec_interface_list *ec_interface_list_new(GError **error)
{
    g_autoptr(ec_interface_list) list = g_new0(ec_interface_list, 1);

    list->fd = -1;
    list->entries = g_ptr_array_new_with_free_func(g_free);
    list->buffer = g_malloc(RECEIVE_SIZE);
    if (!list_open(list, error) || !list_dump(list, &(const struct report){0}, error))
        return NULL;
    return g_steal_pointer(&list);
}

void ec_interface_list_free(ec_interface_list *list)
{
    if (list == NULL)
        return;
    if (list->fd >= 0)
        close(list->fd);
    g_ptr_array_unref(list->entries);
    g_free(list->buffer);
    g_free(list);
}

GPtrArray *ec_interface_list_get(ec_interface_list *list)
{
    return list->entries;
}

const struct ec_interface *ec_interface_list_find(ec_interface_list *list, const char *name)
{
    for (guint i = 0; i < list->entries->len; i++) {
        const struct entry *entry = list->entries->pdata[i];
        if (strcmp(entry->interface.name, name) == 0)
            return &entry->interface;
    }
    return NULL;
}

int ec_interface_list_get_fd(const ec_interface_list *list)
{
    return list->fd;
}

bool ec_interface_list_read(ec_interface_list *list, ec_interface_function function, void *data, GError **error)
{
    const struct report report = {.function = function, .data = data};
    bool disturbed = false;

    for (;;) {
        switch (list_receive(list, &report, &disturbed)) {
        case RECEIVE_NOTHING:
            return true;
        case RECEIVE_OVERRUN:
            return list_dump(list, &report, error);
        case RECEIVE_FAILED:
            return fail(error, "watched");
        case RECEIVE_SOME:
        case RECEIVE_DUMPED:
        case RECEIVE_DISTURBED:
            break;
        }
    }
}
