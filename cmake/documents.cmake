# cmake -DEBB=FILE -DTRAINERS=FILE;FILE... -DOUTPUT=DIR -P documents.cmake: completions and manuals, printed by the
# programs, where a prefix's share/ has them.
cmake_minimum_required(VERSION 3.25)
set(bash bash-completion/completions)
set(zsh zsh/site-functions/_)  # a prefix of the file's name
set(fish fish/vendor_completions.d)
file(REMOVE_RECURSE ${OUTPUT})
file(MAKE_DIRECTORY ${OUTPUT}/${bash} ${OUTPUT}/zsh/site-functions ${OUTPUT}/${fish} ${OUTPUT}/man/man1)

function(print path)
  execute_process(COMMAND ${ARGN} OUTPUT_FILE ${OUTPUT}/${path} COMMAND_ERROR_IS_FATAL ANY)
endfunction()
print(${bash}/ebb ${EBB} completion bash)
print(${zsh}ebb ${EBB} completion zsh)
print(${fish}/ebb.fish ${EBB} completion fish)
foreach(trainer ${TRAINERS})
  cmake_path(GET trainer FILENAME name)
  print(${bash}/${name} ${trainer} --completion bash)
  print(${zsh}${name} ${trainer} --completion zsh)
  print(${fish}/${name}.fish ${trainer} --completion fish)
  execute_process(COMMAND ${trainer} --man ${OUTPUT}/man/man1 COMMAND_ERROR_IS_FATAL ANY)
endforeach()

execute_process(COMMAND ${EBB} man ${OUTPUT}/man/man1 COMMAND_ERROR_IS_FATAL ANY)

# As Debian wants them, and as man(1) of every system reads them; without the time, so that builds are equal.
file(GLOB manuals ${OUTPUT}/man/man1/*.1)
execute_process(COMMAND gzip -9n ${manuals} COMMAND_ERROR_IS_FATAL ANY)
file(TOUCH ${OUTPUT}/stamp)
