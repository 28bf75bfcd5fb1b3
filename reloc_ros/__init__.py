import pkgutil

# The generated messages (reloc_ros.msg) and this code may be installed in two places: make them one package.
__path__ = pkgutil.extend_path(__path__, __name__)
