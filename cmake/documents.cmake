# cmake -DEBB=FILE -DTRAIN_MNIST=FILE -DOUTPUT=DIR -P documents.cmake: completions and manuals, printed by the
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
print(${bash}/train_mnist ${TRAIN_MNIST} --completion bash)
print(${zsh}train_mnist ${TRAIN_MNIST} --completion zsh)
print(${fish}/train_mnist.fish ${TRAIN_MNIST} --completion fish)

execute_process(COMMAND ${EBB} man ${OUTPUT}/man/man1 COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${TRAIN_MNIST} --man ${OUTPUT}/man/man1 COMMAND_ERROR_IS_FATAL ANY)

# As Debian wants them, and as man(1) of every system reads them; without the time, so that builds are equal.
file(GLOB manuals ${OUTPUT}/man/man1/*.1)
execute_process(COMMAND gzip -9n ${manuals} COMMAND_ERROR_IS_FATAL ANY)
file(TOUCH ${OUTPUT}/stamp)
