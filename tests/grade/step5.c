#include "grade/grade.h"

const struct check checks_5[] = {{0}};
