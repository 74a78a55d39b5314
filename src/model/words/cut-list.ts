/** The members of a list with commas between them; of a longer list only so many, and the number of the others. */
export function cutList(members: readonly (string | number)[], most: number): string {
  const shown = members.slice(0, most).join(', ');
  return members.length > most ? `${shown} and ${members.length - most} more` : shown;
}
