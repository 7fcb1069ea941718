# SPDX-License-Identifier: GPL-2.0-or-later
"""Java with a native TLS: netty-tcnative, which brings netty to the system's OpenSSL; with tests/run --matrix."""
import glob
import os
import shutil
import subprocess
import unittest

import debian
import lab

JARS = "/usr/share/java/netty-*.jar"
CLIENT = """
import io.netty.bootstrap.Bootstrap;
import io.netty.buffer.Unpooled;
import io.netty.channel.*;
import io.netty.channel.nio.NioEventLoopGroup;
import io.netty.channel.socket.nio.NioSocketChannel;
import io.netty.handler.ssl.*;
import io.netty.handler.ssl.util.InsecureTrustManagerFactory;
import java.util.concurrent.TimeUnit;

public class Client {
    static void get(EventLoopGroup group, String version) throws Exception {
        SslContext context = SslContextBuilder.forClient().sslProvider(SslProvider.OPENSSL).protocols(version)
            .trustManager(InsecureTrustManagerFactory.INSTANCE).build();
        ChannelHandler request = new ChannelInboundHandlerAdapter() {
            public void channelActive(ChannelHandlerContext channel) {
                channel.writeAndFlush(Unpooled.copiedBuffer("GET / HTTP/1.0\\r\\n\\r\\n".getBytes()));
            }
        };
        ChannelHandler start = new ChannelInitializer<Channel>() {
            protected void initChannel(Channel channel) {
                channel.pipeline().addLast(context.newHandler(channel.alloc()), request);
            }
        };
        new Bootstrap().group(group).channel(NioSocketChannel.class).handler(start).connect("127.0.0.1", 4433).sync()
            .channel().closeFuture().sync();
    }

    public static void main(String[] versions) throws Exception {
        EventLoopGroup group = new NioEventLoopGroup(1);
        for (String version : versions)
            get(group, version);
        group.shutdownGracefully(0, 0, TimeUnit.SECONDS);
    }
}
"""


class Netty(lab.Lab):
    def library(self):
        """A directory with the library under the name that netty asks for, which is not Debian's."""
        found = glob.glob("/usr/lib/*/jni/libnetty-tcnative.so")
        if not found or not glob.glob(JARS):
            raise unittest.SkipTest("libnetty-java or libnetty-tcnative-java is not installed")
        shutil.copy(found[0], self.path("libnetty_tcnative.so"))
        return self.tmp

    def test_netty(self):
        """A client over memory BIOs, of gnutls-serv, which ecapture-tls leaves alone."""
        debian.extended()
        lab.need("java", "javac", "gnutls-serv")
        library, jars = self.library(), ":".join([self.tmp, *glob.glob(JARS)])
        with open(self.path("Client.java"), "w", encoding="utf-8") as file:
            file.write(CLIENT)
        subprocess.run(["javac", "-cp", jars, "Client.java"], cwd=self.tmp, check=True, capture_output=True)
        certificate, key = self.certificate()
        self.ns.start("gnutls-serv", "--http", "--quiet", "-p", "4433", "--x509keyfile", key, "--x509certfile", certificate,
                      "--disable-client-cert", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        lab.wait_until(lambda: self.ns.answers(4433), lab.READY_SECONDS, "gnutls-serv")
        saved = self.path("netty.pcapng")
        ecapture = self.start_ecapture("--verify", "-w", saved)
        run = self.ns.run("java", "-cp", jars, f"-Djava.library.path={library}", "Client", "TLSv1.2", "TLSv1.3", check=False,
                          env=dict(os.environ, HOME=self.tmp))
        self.assertEqual(run.returncode, 0, run.stderr[-2000:])
        self.wait_for_traffic(saved)
        self.assertEqual(lab.stop(ecapture)[0], 0, self.read("ecapture.log"))
        self.assertIn("2 with secrets, 2 verified; 0 without\n", self.read("ecapture.log"))
        self.assertEqual(len(self.decrypt(saved, "http.request", "frame.number")), 2)
