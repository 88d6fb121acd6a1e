"""What pyinfra does on each of its hosts: put one file."""

import os

from pyinfra import host
from pyinfra.operations import files

files.put(src=os.environ["COMPARE_FILE"], dest=host.data.path)
