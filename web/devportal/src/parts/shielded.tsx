import { Component, type ReactNode } from 'react';
import { Failed } from './failed';

/** A fault in a page shows words instead of nothing. The browser's console has the details. */
export class Shielded extends Component<{ children: ReactNode }, { fault: unknown }> {
  override state = { fault: undefined };

  static getDerivedStateFromError(fault: unknown) {
    return { fault };
  }

  override render() {
    if (this.state.fault === undefined) return this.props.children;
    return <Failed why={this.state.fault} again={() => this.setState({ fault: undefined })} />;
  }
}
