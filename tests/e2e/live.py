# SPDX-License-Identifier: GPL-2.0-or-later
"""A live capture by tshark of one module, and beside it one to a file; what the tests of TLS libraries share."""
import subprocess

import lab
import pcapng

FIELDS = ("http.request.uri", "http.response.code", "http2.headers.path", "http2.headers.status")
# A response that the server's closing ends is complete only then.
LIVE = ("-o", "http.desegment_body:FALSE")
# On a busy machine a browser may take longer than the default between its hello and its secrets.
HOLD = ("--hold", "5000")


def values(table, *names):
    return [value for row in table for name in names for value in row[name].split(",") if value]


class LiveLab(lab.Lab):
    def capture(self, interface, *arguments, fields=FIELDS, display="http || http2"):
        """By tshark, and beside it to a file, which tells how it went."""
        arguments = (*HOLD, "--log-level", "info", *arguments)
        saved = self.path("saved.pcapng")
        self.ecapture = self.start_ecapture("--verify", "-w", saved, *arguments, module=interface[len("ecapture-"):])
        preference = interface.replace("-", "_")
        # tshark leaves the dashes of an option's name out.
        live = [f"extcap.{preference}.{name.replace('-', '')}:{value}" for name, value in
                zip((*arguments[::2], "--log-file"), (*arguments[1::2], self.path("live.log")))]
        return self.start_tshark(*LIVE, *(word for option in live for word in ("-o", option)), fields=fields,
                                 display=display, interface=interface)

    def run_when_hooked(self, path, *command, **kwargs):
        """The command waits for the end of its standard input, which comes when both captures have hooked the path."""
        with open(self.path("client.log"), "w", encoding="utf-8") as log:
            client = self.ns.start(*command, stdin=subprocess.PIPE, stdout=log, stderr=log, **kwargs)
        self.wait_until_hooked(path, "ecapture.log", "live.log")
        client.stdin.close()
        self.assertEqual(client.wait(2 * lab.PATIENCE), 0, self.read("client.log"))

    def finish(self, tshark, paths, responses=None, breaks_off=False):
        """Every path was requested and answered; no secret came late, no handshake went without, unless the client is one
        that breaks some off (a browser's spare connections, when it ends)."""
        def done():
            table = tshark.table()
            return set(paths) <= set(values(table, "http.request.uri", "http2.headers.path")) and \
                len(values(table, "http.response.code", "http2.headers.status")) >= \
                (len(paths) if responses is None else responses)

        try:
            lab.wait_until(done, 25, f"{paths} and their responses, decrypted")
        except AssertionError as error:
            raise AssertionError(f"{error}; seen: {tshark.table()}; {tshark.messages()}") from None
        self.assertEqual(tshark.stop()[0], 0, tshark.messages())
        self.assertEqual(lab.stop(self.ecapture)[0], 0, self.read("ecapture.log"))
        comment = pcapng.File(self.path("saved.pcapng")).statistics[0][1][0].decode()
        counts = dict(word.split("=") for word in comment.split())
        self.assertEqual(counts["late_secrets"], "0", comment)
        self.assertGreater(int(counts["handshakes_with_secrets"]), 0, comment)
        self.assertGreater(int(counts["handshakes_verified"]), 0, comment)
        if not breaks_off:
            self.assertEqual(counts["handshakes_without_secrets"], "0", comment)
            self.assertEqual(counts["handshakes_verified"], counts["handshakes_with_secrets"], comment)
