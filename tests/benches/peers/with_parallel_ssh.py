"""usage: with_parallel_ssh.py run|copy LIST KEY KNOWN_HOSTS PARALLEL WHAT

Runs the command in the file WHAT, or copies the file WHAT, on all receivers of LIST. libssh2 looks at no known hosts.
"""

import sys

from gevent import joinall
from pssh.clients import ParallelSSHClient

job, listed, key, _, parallel, what = sys.argv[1:]
receivers = [line.split() for line in open(listed)]
client = ParallelSSHClient(
    [address for _, address, _, _, _ in receivers],
    user=receivers[0][3], port=int(receivers[0][2]), pkey=key, pool_size=int(parallel),
    allow_agent=False, identity_auth=False,
)
if job == "run":
    for output in client.run_command(open(what).read()):
        for line in output.stdout:
            print(line)
        if output.exit_code != 0:
            sys.exit(f"{output.host}: exit code {output.exit_code}")
else:
    places = [{"local_file": what, "remote_file": path} for *_, path in receivers]
    joinall(client.copy_file("%(local_file)s", "%(remote_file)s", copy_args=places), raise_error=True)
