/** Lets the user keep a value as a file. @param value anything that JSON can hold */
export function download(fileName: string, value: unknown): void {
  const text = `${JSON.stringify(value, undefined, 2)}\n`;
  const url = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = fileName;
  link.click();
  // The browser has taken the file by then.
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
