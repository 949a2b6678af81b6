# SPDX-License-Identifier: Apache-2.0
# What a program can make the supervisor remember has bounds.
# users: root
. "$(dirname "$0")/lib.sh"
need python3
# 600 different states of 256 KiB each; 65 MB were measured, and 310 MB without a bound.
kib=$("$SANDBOX" --stats -- python3 -c '
import ctypes
c = ctypes.CDLL(None, use_errno=True); groups = (ctypes.c_uint * 65536)(*range(65536))
for i in range(600):
    groups[0] = 70000 + i
    assert c.setgroups(65536, groups) == 0' 2>&1 | grep -o '[0-9]* KiB peak')
[ "${kib%% *}" -lt 160000 ] || fail "peak memory after many setgroups: $kib"
finish
