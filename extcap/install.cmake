# SPDX-License-Identifier: GPL-2.0-or-later
# Installs the two copies of the program and the launcher that chooses between them (launcher.in says
# why); included by CMakeLists.txt.
set(ECAPTURE_EXTCAP_DIR ${CMAKE_INSTALL_LIBDIR}/wireshark/extcap CACHE PATH
  "Where Wireshark looks for extcaps (tshark -G folders), relative to the prefix or absolute")
set(ECAPTURE_GROUP wireshark CACHE STRING "The group that may capture")
# The ones that capture/privilege.c asks for.
set(ECAPTURE_CAPABILITIES "cap_bpf,cap_perfmon,cap_net_admin,cap_net_raw,cap_sys_ptrace,cap_checkpoint_restore,cap_dac_read_search=ep")

configure_file(launcher.in launcher @ONLY)
foreach(directory ${CMAKE_INSTALL_BINDIR} ${ECAPTURE_EXTCAP_DIR})
  install(PROGRAMS ${CMAKE_CURRENT_BINARY_DIR}/launcher DESTINATION ${directory} RENAME ecapture)
endforeach()
install(TARGETS ecapture RUNTIME DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/ecapture)
install(PROGRAMS $<TARGET_FILE:ecapture> DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/ecapture/privileged
  PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE)

# A package (DESTDIR) does this in its own way; without root it can't be done. chgrp clears
# capabilities, so setcap comes last.
install(CODE "
  set(privileged \"${CMAKE_INSTALL_FULL_LIBEXECDIR}/ecapture/privileged/ecapture\")
  set(failed \"this is a package's staging directory\")
  if(\"\$ENV{DESTDIR}\" STREQUAL \"\")
    execute_process(COMMAND chgrp ${ECAPTURE_GROUP} \${privileged} RESULT_VARIABLE failed)
    if(failed EQUAL 0)
      execute_process(COMMAND setcap ${ECAPTURE_CAPABILITIES} \${privileged} RESULT_VARIABLE failed)
    endif()
  endif()
  if(NOT failed EQUAL 0)
    message(WARNING \"only root will be able to capture (\${failed}); as root, run:\\n\"
      \"  chgrp ${ECAPTURE_GROUP} \${privileged} && setcap ${ECAPTURE_CAPABILITIES} \${privileged}\")
  endif()")
