# The console's files become part of the program: cmake/embed_console.py makes one C++ file of them.
find_package(Python3 REQUIRED COMPONENTS Interpreter)

# switchback_embed_console(TARGET): TARGET gets ConsoleFiles() (server/http/console_files.hpp).
function(switchback_embed_console target)
  set(root ${PROJECT_SOURCE_DIR}/console)
  set(script ${PROJECT_SOURCE_DIR}/cmake/embed_console.py)
  set(output ${CMAKE_CURRENT_BINARY_DIR}/console_files.cpp)
  file(GLOB_RECURSE files CONFIGURE_DEPENDS ${root}/*.html ${root}/*.css ${root}/*.js ${root}/*.svg)
  list(FILTER files EXCLUDE REGEX "/node_modules/")
  add_custom_command(OUTPUT ${output} COMMAND Python3::Interpreter ${script} ${root} ${output} DEPENDS ${script} ${files} VERBATIM)
  target_sources(${target} PRIVATE ${output})
endfunction()
