/* The project that `moil new` lays out: the files of lua/new/, as they are embedded at build time
 * (build/gen/project.c). */
#ifndef MOIL_CLI_PROJECT_H
#define MOIL_CLI_PROJECT_H

struct project_file {
    const char *path; /* below the project's folder */
    const char *text; /* @NAME@ in it stands for the project's name */
};

extern const struct project_file moil_project[]; /* ends with a NULL path */

#endif
