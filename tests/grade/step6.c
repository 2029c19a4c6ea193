#include "grade/grade.h"

const struct check checks_6[] = {{0}};
