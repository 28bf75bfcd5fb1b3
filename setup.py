from setuptools import setup

setup()  # everything is in pyproject.toml; `colcon build` goes by package.xml and CMakeLists.txt instead
