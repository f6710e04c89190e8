// Which project a path of the contents manager belongs to.

/** Whether `path` lies in the folder `project`; the root folder is "". */
export function isWithin(path: string, project: string): boolean {
  return project === '' || path === project || path.startsWith(project + '/');
}
