# SPDX-License-Identifier: GPL-2.0-or-later
# Installs what makes Wireshark show processes: a plugin and a profile. tshark -G folders says where a
# Wireshark looks for them; included by CMakeLists.txt.
set(ECAPTURE_LUA_DIR ${CMAKE_INSTALL_LIBDIR}/wireshark/plugins CACHE PATH
  "Wireshark's Global Lua Plugins folder, relative to the prefix or absolute")
set(ECAPTURE_PROFILES_DIR ${CMAKE_INSTALL_DATADIR}/wireshark/profiles CACHE PATH
  "profiles/ in Wireshark's Global configuration folder, relative to the prefix or absolute")

install(FILES ecapture.lua DESTINATION ${ECAPTURE_LUA_DIR})
install(FILES profile/preferences DESTINATION ${ECAPTURE_PROFILES_DIR}/eCapture)
