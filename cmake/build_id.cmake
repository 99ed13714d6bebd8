# Writes OUTPUT, the source file that says which commit SOURCE is, and leaves it alone when it says so already, so that a
# new commit recompiles this file and nothing else:
#   cmake -DSOURCE=<tree> -DTEMPLATE=<build_id.cc.in> -DOUTPUT=<build_id.cc> -P build_id.cmake
# Outside a checkout (or in one of another project) it is what `git archive` wrote into cmake/archive_commit.txt, else
# nothing.
set(EBB_COMMIT "")
set(EBB_COMMIT_DATE "")
file(READ ${SOURCE}/cmake/archive_commit.txt archived)
if(archived MATCHES "^([0-9a-f]+) ([0-9-]+)")
  set(EBB_COMMIT ${CMAKE_MATCH_1})
  set(EBB_COMMIT_DATE ${CMAKE_MATCH_2})
endif()

# Reading the state must not lock the index while the user commits.
set(ENV{GIT_OPTIONAL_LOCKS} 0)
function(ebb_git out)
  set(${out} "" PARENT_SCOPE)
  execute_process(COMMAND ${GIT} -C ${SOURCE} ${ARGN} OUTPUT_VARIABLE text RESULT_VARIABLE failed ERROR_QUIET
    OUTPUT_STRIP_TRAILING_WHITESPACE)
  if(NOT failed)
    set(${out} "${text}" PARENT_SCOPE)
  endif()
endfunction()

find_program(GIT git)
if(GIT AND EXISTS ${SOURCE}/.git)
  ebb_git(commit describe --always --abbrev=7 --exclude=* --dirty=+)
  ebb_git(date log -1 --format=%cs)
  if(commit)
    set(EBB_COMMIT ${commit})
    set(EBB_COMMIT_DATE ${date})
  endif()
endif()
configure_file(${TEMPLATE} ${OUTPUT} @ONLY)
