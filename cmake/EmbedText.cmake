# Makes a C++ source with a text in it: cmake -DINPUT=FILE -DOUTPUT=FILE -DHEADER=FILE -DNAME=IDENTIFIER -P EmbedText.cmake
file(READ "${INPUT}" text)
file(WRITE "${OUTPUT}" "#include \"${HEADER}\"\n\nnamespace switchback {\n\n"
  "const std::string_view ${NAME} = R\"embedded(" "${text}" ")embedded\";\n\n}  // namespace switchback\n")
