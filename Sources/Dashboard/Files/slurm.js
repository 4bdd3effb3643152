/** Where Slurm has a job, in words; undefined for one that it never had. */
export function slurmText(slurm) {
  if (slurm === undefined) return undefined;
  const { id, state, reason, nodes, unreachable } = slurm;
  const parts = [id !== undefined && `job ${id}`, state && (reason ? `${state} (${reason})` : state), nodes && `on ${nodes}`, unreachable];
  return `Slurm: ${parts.filter(Boolean).join(', ')}`;
}
