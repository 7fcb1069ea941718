/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Finds crypto/tls.(*Config).writeKeyLog(label string, clientRandom, secret []byte) in a Go program: crypto/tls calls
 * it with every secret, whether or not the program wants a key log. By symbol, else by Go's own function table.
 *
 * A resumed TLS 1.2 (and older) connection is not reported to it, so crypto/tls.keysFromMasterSecret(version, suite,
 * masterSecret, clientRandom, serverRandom, …) is found too: it gets what a CLIENT_RANDOM line holds.
 *
 * The calling convention follows from the program's Go version and has to agree with how the function begins: the
 * check for room on the stack differs between the two. What is not proven is refused with a reason. Holds of Go 1.13
 * to 1.27, and of older ones that have crypto/tls's TLS 1.3 or 1.2 code by the same names.
 *
 * Pure: reads the ELF file it is handed and nothing else. The file is hostile input.
 */
#include "elf-image.h"
#include "hook-point.h"

#include <glib.h>
#include <stdbool.h>

/* Cheap: by a few small reads, if the file has section headers. */
bool ec_go_file_is_go(int fd);

/* `fd`: an open ELF file, borrowed, read by pread only. Errors are EC_HOOK_ERROR_*, of which _NOT_TLS also means "no
 * Go program"; *ret_point is untouched then. Of the point, the registers and the random's place are not set. */
bool ec_go_hook_point_find(int fd, struct ec_hook_point *ret_point, GError **error);

/* The place to probe in the function at `address`, behind the check for room on the stack if that is cheap: the stack
 * and the arguments are as the caller left them. *ret_probe: file offset. False if no Go function begins there. */
bool ec_go_place_find(const struct ec_elf_image *image, uint64_t address, enum ec_go_abi *ret_abi, uint64_t *ret_probe);
