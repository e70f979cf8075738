/* Plain driver for the fuzz targets, for compilers without libFuzzer (POSIX).
     target FILE_OR_FOLDER...               replays, then prints "N passed, N failed"
     target -t SECONDS [-s SEED] FOLDER...  also mutates them at random for that long
   A crash leaves the input in fuzz-crash.bin (in the folder of FUZZ_OUT, if set). */
#define _POSIX_C_SOURCE 200809L
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_INPUT = 1 << 16, MAX_FILES = 20000 };

typedef struct input { uint8_t *data; size_t size; } input;

static input files[MAX_FILES];
static size_t file_count;
static uint8_t current[MAX_INPUT];
static size_t current_size;
static char crash_path[1000] = "fuzz-crash.bin";
static uint64_t random_state;

static void crashed(int number)
{
    static const char text[] = "input kept in fuzz-crash.bin\n";
    int fd = open(crash_path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

    if (fd >= 0 && write(fd, current, current_size) == (ssize_t)current_size)
        (void)!write(2, text, sizeof text - 1);
    signal(number, SIG_DFL);
    raise(number);
}

static uint32_t roll(uint32_t below)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(((random_state >> 33) * below) >> 31);
}

static void run(const uint8_t *data, size_t size)
{
    current_size = size;
    if (size) memmove(current, data, size);
    LLVMFuzzerTestOneInput(current, size);
}

static void load(const char *path)
{
    struct stat s;
    FILE *f;

    if (stat(path, &s)) { perror(path); exit(2); }
    if (S_ISDIR(s.st_mode)) {
        DIR *d = opendir(path);
        struct dirent *e;
        while (d && (e = readdir(d)) != NULL) {
            char name[2000];
            if (e->d_name[0] == '.') continue;
            snprintf(name, sizeof name, "%s/%s", path, e->d_name);
            load(name);
        }
        if (d) closedir(d);
        return;
    }
    if (file_count == MAX_FILES || (f = fopen(path, "rb")) == NULL) { perror(path); exit(2); }
    files[file_count].data = (uint8_t *)malloc(MAX_INPUT);
    if (!files[file_count].data) exit(2);
    files[file_count].size = fread(files[file_count].data, 1, MAX_INPUT, f);
    fclose(f);
    file_count++;
}

/* Changes current a little: bits, bytes, telling numbers, cuts, repeats, another's end. */
static size_t mutate(size_t n)
{
    static const uint8_t telling[] = { 0, 1, 0x7D, 0x7E, 0x7F, 0x80, 0xFF, 0x88, 0x89, 0xFE };
    size_t a = n ? roll((uint32_t)n) : 0, b, len;
    const input *other = &files[roll((uint32_t)file_count)];

    switch (roll(7)) {
    case 0: if (n) current[a] ^= (uint8_t)(1u << roll(8)); break;
    case 1: if (n) current[a] = telling[roll(sizeof telling)]; break;
    case 2: if (n) current[a] = (uint8_t)roll(256); break;
    case 3: return a;
    case 4:     /* take a piece out */
        len = n ? roll((uint32_t)(n - a)) : 0;
        memmove(current + a, current + a + len, n - a - len);
        return n - len;
    case 5:     /* repeat a piece */
        len = n ? roll((uint32_t)(n - a)) : 0;
        if (n + len > MAX_INPUT) return n;
        memmove(current + a + len, current + a, n - a);
        return n + len;
    default:    /* go on as another input does */
        b = other->size ? roll((uint32_t)other->size) : 0;
        len = other->size - b;
        if (a + len > MAX_INPUT) len = MAX_INPUT - a;
        memcpy(current + a, other->data + b, len);
        return a + len;
    }
    return n;
}

int main(int argc, char **argv)
{
    int i, seconds = 0, faults[] = { SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL };
    unsigned long runs = 0;
    size_t k;
    time_t end;

    random_state = 88172645463325252u;
    if (getenv("FUZZ_OUT"))
        snprintf(crash_path, sizeof crash_path, "%s/fuzz-crash.bin", getenv("FUZZ_OUT"));
    for (k = 0; k < sizeof faults / sizeof *faults; k++) signal(faults[k], crashed);
    for (i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "-t") && i + 1 < argc) seconds = atoi(argv[++i]);
        else if (!strcmp(argv[i], "-s") && i + 1 < argc) random_state += (uint64_t)atol(argv[++i]);
        else load(argv[i]);
    }
    for (k = 0; k < file_count; k++) run(files[k].data, files[k].size);
    end = time(NULL) + seconds;
    while (seconds && file_count && time(NULL) < end) {
        int round;
        for (round = 0; round < 1000; round++, runs++) {
            const input *seed = &files[roll((uint32_t)file_count)];
            uint32_t changes = 1 + roll(6);
            memcpy(current, seed->data, seed->size);
            current_size = seed->size;
            while (changes--) current_size = mutate(current_size);
            LLVMFuzzerTestOneInput(current, current_size);
        }
    }
    if (runs) printf("%lu random inputs\n", runs);
    printf("%lu passed, 0 failed\n", (unsigned long)file_count + (runs != 0));
    for (k = 0; k < file_count; k++) free(files[k].data);
    return file_count ? 0 : 1;
}
