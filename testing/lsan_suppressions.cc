// Fontconfig keeps its configuration and the patterns of fonts in use until the process ends. The
// leak checker of AddressSanitizer counts them as lost; it gets the suppressions from this
// function.
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() { return "leak:libfontconfig\n"; }
