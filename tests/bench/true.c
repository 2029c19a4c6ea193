/* true - the program whose start and end is measured: it ends at once, or, given an argument,
 * never. */
#include <unistd.h>

int main(int argc, char **argv)
{
    (void)argv;
    while (argc > 1)
        pause();
    return 0;
}
