# A toolchain file (--toolchain): compiles for AArch64 with Debian's cross compiler, g++-aarch64-linux-gnu.
# Programs also need the libraries for arm64 (dpkg --add-architecture arm64).
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
