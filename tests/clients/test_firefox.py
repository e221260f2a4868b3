"""Firefox, in the long form alone: its package is 80 MB."""
import pytest

import browser
import lab as places
import programs
from gateway import wait_for
from servers import Tap, Web
from test_by_name import NAME, server  # noqa: F401
from test_socks5_programs import Page

pytestmark = pytest.mark.long

# What a profile says of a proxy, and that it is to ask for nothing by itself.
# Names are the proxy's to resolve; each version has a setting of its own.
PROFILE = """
user_pref("network.proxy.type", 1);
user_pref("network.proxy.socks", "{}");
user_pref("network.proxy.socks_port", {});
user_pref("network.proxy.socks_version", {});
user_pref("network.proxy.socks_remote_dns", true);
user_pref("network.proxy.socks5_remote_dns", true);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("browser.aboutwelcome.enabled", false);
user_pref("app.normandy.enabled", false);
"""


@pytest.mark.parametrize("version", ["4a", "5"])
def test_firefox_shows_a_page(start_gateway, lab, call, tmp_path, server,  # noqa: F811
                              version):
    gateway = start_gateway(
        listen='[{address: "%s:1080", name: inside, socks4a: true,'
               ' socks5: true, insecure_plaintext: true}]' % places.INSIDE,
        resolver=f'{{servers: ["{server}"]}}')
    tap = Tap(lab.server, Web(lab.server, Page).address)
    profile, picture = tmp_path / "profile", tmp_path / "page.png"
    profile.mkdir()
    (profile / "user.js").write_text(PROFILE.format(
        *programs.PROXY.split(":"), version[0]))
    done = call("env", f"HOME={tmp_path}", "firefox-esr", "--headless",
                "--no-remote", "--profile", profile, "--screenshot", picture,
                "http://%s:%d/" % (NAME, tap.address[1]),
                seconds=2 * browser.SECONDS)
    assert done.returncode == 0, done
    assert picture.read_bytes()[:4] == b"\x89PNG", done
    wait_for("its record", lambda: gateway.records(
        name=NAME, verdict="granted", version=version))
    assert {record["version"] for record in gateway.records()} == {version}
