# arignote_options: warnings and sanitizers of our own code.
add_library(arignote_options INTERFACE)
target_compile_options(
  arignote_options INTERFACE -Wall -Wextra -Wconversion -Wno-sign-conversion -Wshadow -Wpedantic
                             $<$<BOOL:${ARIGNOTE_WERROR}>:-Werror>
)

if(ARIGNOTE_SANITIZE)
  set(sanitize -fsanitize=${ARIGNOTE_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  # Half as long to compile as with -O2 and full debug information, and no error is hidden by it.
  target_compile_options(arignote_options INTERFACE ${sanitize} -O1 -g1)
  target_link_options(arignote_options INTERFACE ${sanitize})
endif()
