/* image_tree.h - `images --tree`: each image below the one it was made from. */
#pragma once

#include "cli/image_filter.h"

/* Prints those of the list that the filter lets through. */
int image_tree_print(struct image_filter *f, const struct image_list *list, struct err *err);
