import Typography from '@mui/material/Typography';
import { type ReactNode, useEffect, useRef } from 'react';

/** A page's heading: the window is named after it, and it takes the focus so that a screen reader says where one is now. */
export function Title({ name, children }: { name: string; children?: ReactNode }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${name} – Developer portal`;
    // At the first page of a visit the focus stays where the browser puts it.
    if (window.history.state?.idx > 0) heading.current?.focus({ preventScroll: true });
  }, [name]);
  return (
    <Typography variant="h1" ref={heading} tabIndex={-1} sx={{ outline: 'none' }}>
      {children ?? name}
    </Typography>
  );
}
