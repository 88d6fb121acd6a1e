"""usage: with_asyncssh.py run|copy LIST KEY KNOWN_HOSTS PARALLEL WHAT

Runs the command in the file WHAT, or copies the file WHAT, on all receivers of LIST.
"""

import asyncio
import sys

import asyncssh


async def main(job, receivers, key, known_hosts, parallel, what):
    turns = asyncio.Semaphore(parallel)
    key = asyncssh.read_private_key(key)
    known_hosts = asyncssh.read_known_hosts(known_hosts)
    command = open(what).read() if job == "run" else None

    async def one(name, address, port, user, path):
        async with turns:
            async with asyncssh.connect(
                address, int(port), username=user, client_keys=[key], known_hosts=known_hosts,
                config=None, agent_path=None,
            ) as connection:
                if command is not None:
                    return (await connection.run(command, check=True)).stdout
                async with connection.start_sftp_client() as sftp:
                    await sftp.put(what, path)
                return name + "\n"

    for said in await asyncio.gather(*(one(*receiver) for receiver in receivers)):
        sys.stdout.write(said)


job, listed, key, known_hosts, parallel, what = sys.argv[1:]
receivers = [line.split() for line in open(listed)]
asyncio.run(main(job, receivers, key, known_hosts, int(parallel), what))
