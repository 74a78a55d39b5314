import { signal } from '@preact/signals';

const key = 'chaperone-theme';
const dark = signal(false);

/** Applies the theme that the user chose on this page, or else that of the operating system. */
export function initTheme(): void {
  const preferred = matchMedia('(prefers-color-scheme: dark)');
  const chosen = read();
  apply(chosen === undefined ? preferred.matches : chosen === 'dark');
  preferred.addEventListener('change', () => {
    if (read() === undefined) apply(preferred.matches);
  });
}

export function toggleTheme(): void {
  apply(!dark.value);
  try {
    localStorage.setItem(key, dark.value ? 'dark' : 'light');
  } catch {
    // The browser may forbid storage; then the choice lasts until the page is closed.
  }
}

function apply(isDark: boolean): void {
  dark.value = isDark;
  document.documentElement.dataset['theme'] = isDark ? 'dark' : 'light';
}

function read(): string | undefined {
  try {
    return localStorage.getItem(key) ?? undefined;
  } catch {
    return undefined;
  }
}
