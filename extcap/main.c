/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli.h"
#include "extcap.h"

#include <signal.h>

int main(int argc, char **argv)
{
    int n_args = argc > 0 ? argc - 1 : 0;
    int status;

    /* A reader that goes, and a full quota, are errors of a write and not a sudden death. */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    if (ec_extcap_is_wanted(n_args, argv + 1))
        status = ec_extcap_run(n_args, argv + 1);
    else
        status = ec_cli_run(n_args, argv + 1);
    return status;
}
