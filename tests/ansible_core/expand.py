"""Says, line by line, what Ansible makes of host patterns and limits.

Reads JSON lines: ["range", pattern] or ["limit", {group: [host, ...]}, pattern]; writes one JSON line for each:
the hosts, or null where Ansible refuses the text.
"""

import json
import sys

from ansible.errors import AnsibleError
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader, inventory_loader


def hosts_of_range(pattern, yaml):
    hosts, port = yaml._expand_hostpattern(pattern)
    return [hosts, port]


def hosts_of_limit(groups, pattern):
    manager = InventoryManager(loader=DataLoader(), sources=[], parse=False)
    for group, hosts in groups.items():
        manager._inventory.add_group(group)
        for host in hosts:
            manager._inventory.add_host(host, group)
    manager._inventory.reconcile_inventory()
    return [host.name for host in manager.get_hosts(pattern)]


def main():
    init_plugin_loader()
    yaml = inventory_loader.get("yaml")
    for line in sys.stdin:
        kind, *rest = json.loads(line)
        try:
            answer = hosts_of_range(rest[0], yaml) if kind == "range" else hosts_of_limit(*rest)
        except (AnsibleError, ValueError, IndexError, TypeError):
            answer = None
        print(json.dumps(answer), flush=True)


main()
