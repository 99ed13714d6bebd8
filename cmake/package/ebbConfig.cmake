# find_package(ebb): the target ebb::ebb. The shared library carries what it needs, so nothing else
# has to be found.
include(${CMAKE_CURRENT_LIST_DIR}/ebbTargets.cmake)
