#include "grade/grade.h"

const struct check checks_4[] = {{0}};
