// doctor_report: what `./train_grpo doctor` says: one line for each thing it has looked at. Checks go on after a problem, so that all are seen at once.
#pragma once
#include "llmc/trainer.h"

typedef enum { DOCTOR_OK,
               DOCTOR_WARNING,   // it will run, perhaps not as meant
               DOCTOR_PROBLEM,   // it will not
               DOCTOR_UNCHECKED, // for want of what another line names
               DOCTOR_KINDS } DoctorKind;
typedef struct {
    Trainer t; // opened as far as it can be; nothing is allocated on the device
    bool miniature, has_device, has_config, has_tokenizer, has_template;
    char scratch[256]; // what is prepared to be looked at; removed at the end, "" if it cannot be made
    int said[DOCTOR_KINDS];
} Doctor;

__attribute__((format(printf, 4, 5))) static inline void doctor_say(Doctor *d, DoctorKind kind, const char *what, const char *format, ...) {
    static const char *const words[] = {"ok", "warning", "PROBLEM", "-"};
    FILE *out = stdout;
    d->said[kind]++;
    if (ranks_mine() > 0) { // the first rank says the rest
        if (kind != DOCTOR_PROBLEM) { return; }
        fprintf(out = stderr, "rank %d on %s: ", ranks_mine(), ranks_host());
    }
    fprintf(out, "%-8s %-13s ", words[kind], what);
    va_list args;
    va_start(args, format);
    vfprintf(out, format, args);
    va_end(args);
    fputc('\n', out);
}
