# SPDX-License-Identifier: GPL-2.0-or-later
# Cross-builds for aarch64 with Debian's cross compiler and a root of arm64 packages, made by `tests/kernels/sysroot`:
#
#   tests/kernels/sysroot build-arm64/root
#   cmake --preset arm64 && cmake --build --preset arm64
#
# ECAPTURE_SYSROOT is that root. With qemu-user installed ctest runs the tests too, and there is a man page.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_TRY_COMPILE_PLATFORM_VARIABLES ECAPTURE_SYSROOT)
set(CMAKE_SYSROOT ${ECAPTURE_SYSROOT})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(ENV{PKG_CONFIG_SYSROOT_DIR} ${ECAPTURE_SYSROOT})
set(ECAPTURE_ARM64_LIBRARIES ${ECAPTURE_SYSROOT}/usr/lib/aarch64-linux-gnu)
set(ENV{PKG_CONFIG_LIBDIR} ${ECAPTURE_ARM64_LIBRARIES}/pkgconfig:${ECAPTURE_SYSROOT}/usr/share/pkgconfig)
find_program(QEMU_AARCH64 NAMES qemu-aarch64 qemu-aarch64-static)
if(QEMU_AARCH64)
  set(CMAKE_CROSSCOMPILING_EMULATOR ${QEMU_AARCH64} -L ${ECAPTURE_SYSROOT})
endif()
